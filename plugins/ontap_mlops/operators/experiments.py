"""Operators on experiments: data, model, logs and code version of a run frozen together, and chosen to be repeated."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from ontap_mlops import names
from ontap_mlops.operators.base import OntapOperator
from ontap_mlops.operators.context import CHOOSE, RECORD, code_commit, needed, result_of, run_key, run_record
from ontap_mlops.operators.links import DatasetVersionLink
from ontap_mlops.operators.program import WORKSPACE, ProgramOperator
from ontap_mlops.operators.workspaces import WorkspaceCreateOperator
from ontap_mlops.records import Experiment, RunRecord, TrainingRecord

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.compute.workload import Workload

VOLUME = "experiment"
"""Key of the mount, by which a program finds the folder in RUN_FILE."""
FROZEN, PROGRAMS = "frozen", "programs"
"""XCom keys of the chosen experiment: the snapshot to clone, as a DatasetVersion; its programs by name."""


class ExperimentCloneOperator(OntapOperator):
    """Clone the dataset version that the run trained on, to keep with its model and logs. Costs no copy.

    Skips, with all that freezes the experiment, when the run's Param ``snapshot`` is off. A retry finds the clone of
    its first try.

    :param parameter: the run's Param that says whether to freeze an experiment.
    :return: ``uuid``, ``name``, ``svm``, ``junction_path``.
    """

    def __init__(self, *, parameter: str = "snapshot", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.parameter = parameter

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import experiments

        if not context["params"][self.parameter]:
            self.skip_because(context, f"No experiment is frozen: {self.parameter} is off.", note=False)
        run = run_record(context)
        version = run.dataset_version
        with self.hook.client() as client:
            made = experiments.ensure(
                client,
                svm=version.svm,
                run_key=run.run_key,
                model=run.model,
                parent_volume=version.volume,
                parent_snapshot=version.snapshot,
            )
        self.log.info("Experiment volume %s, a clone of dataset version %s", made.name, version.id)
        return {"uuid": made.uuid, "name": made.name, "svm": version.svm, "junction_path": made.junction_path}


class ExperimentGatherOperator(ProgramOperator):
    """Bring what the run's programs left in its workspace to the volume of its experiment, with the versions of code.

    The volume is mounted as ``experiment``.
    """

    def _read(self, context: Context) -> Any:
        inputs = super()._read(context)
        volume = names.experiment_volume(inputs.record.run_key)
        return dataclasses.replace(inputs, volumes={**inputs.volumes, VOLUME: volume})


class ExperimentFreezeOperator(OntapOperator):
    """Freeze data, model, logs and code version of the run as one snapshot, and keep its record with the MLflow run.

    A retry finds the snapshot of its first try.

    :param programs: modules that trained (``train``) and judged (``evaluate``), for a repetition.
    :param mlflow_conn_id: connection to the tracking server.
    :return: the Experiment, as JSON.
    """

    template_fields: Sequence[str] = (*OntapOperator.template_fields, "programs")
    operator_extra_links = (DatasetVersionLink(),)

    def __init__(self, *, programs: Mapping[str, str], mlflow_conn_id: str = "mlflow_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.programs = dict(programs)
        self.mlflow_conn_id = mlflow_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.hooks.mlflow import MlflowHook
        from ontap_mlops.ontap import experiments

        run, training = run_record(context), TrainingRecord.from_json(needed(context, RECORD))
        with self.hook.client() as client:
            made = experiments.freeze(client, svm=run.dataset_version.svm, run_key=run.run_key, model=run.model)
        experiment = Experiment(
            run_key=run.run_key,
            mlflow_run_id=training.mlflow_run_id,
            model=run.model,
            dataset_version=run.dataset_version,
            svm=run.dataset_version.svm,
            volume=names.experiment_volume(run.run_key),
            volume_uuid=made.volume_uuid,
            snapshot=made.name,
            snapshot_uuid=made.uuid,
            created_at=made.created_at,
            code_commit=run.code_commit,
            programs=self.programs,
        )
        MlflowHook(self.mlflow_conn_id).experiments.freeze(experiment)
        self.log.info("Experiment %s: snapshot %s of volume %s", run.run_key, made.name, experiment.volume)
        return experiment.to_json()


class ExperimentChooseOperator(OntapOperator):
    """Settle for all later tasks of the run which experiment it repeats: same data, parameters, seed and processes.

    Fails with one sentence where the run has frozen no experiment, or its snapshot has been removed.

    :param experiment: key (r...) of the run whose experiment it is.
    :param mlflow_conn_id: connection to the tracking server.
    :return: the RunRecord, as JSON. XCom ``frozen`` is the snapshot to clone, ``programs`` what trained and judged.
    """

    template_fields: Sequence[str] = (*OntapOperator.template_fields, "experiment")
    operator_extra_links = (DatasetVersionLink(),)

    def __init__(self, *, experiment: str, mlflow_conn_id: str = "mlflow_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.experiment = experiment
        self.mlflow_conn_id = mlflow_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.hooks.mlflow import MlflowHook

        mlflow = MlflowHook(self.mlflow_conn_id)
        training, experiment = mlflow.training_record(self.experiment), mlflow.experiments.frozen(self.experiment)
        if experiment is None:
            raise AirflowFailException(
                f"Run {self.experiment} (MLflow run {training.mlflow_run_id}) has frozen no experiment: its Param "
                "snapshot was off. Repeat it with its own DAG, by Repeat a run."
            )
        self._check_there(experiment)
        commit = code_commit(context)
        if experiment.code_commit != commit:
            self.log.warning("The experiment is of code %s, this run of %s.", experiment.code_commit, commit)
        record = RunRecord(
            run_key=run_key(context),
            dag_id=context["dag_run"].dag_id,
            run_id=context["dag_run"].run_id,
            model=experiment.model,
            dataset_version=experiment.dataset_version,
            parameters=dict(training.parameters),
            promote="never",
            code_commit=commit,
            repeat_of=training,
        )
        frozen = dataclasses.replace(
            experiment.dataset_version,
            volume=experiment.volume,
            volume_uuid=experiment.volume_uuid,
            snapshot=experiment.snapshot,
            snapshot_uuid=experiment.snapshot_uuid,
        )
        context["ti"].xcom_push(FROZEN, frozen.to_json())
        context["ti"].xcom_push(PROGRAMS, experiment.programs)
        return record.to_json()

    def _check_there(self, experiment: Experiment) -> None:
        from ontap_mlops.ontap import experiments

        with self.hook.client() as client:
            there = experiments.find(
                client,
                svm=experiment.svm,
                volume=experiment.volume,
                snapshot=experiment.snapshot,
                snapshot_uuid=experiment.snapshot_uuid,
            )
        if there is None:
            raise AirflowFailException(
                f"The experiment of run {experiment.run_key} (MLflow run {experiment.mlflow_run_id}) was frozen as "
                f"snapshot {experiment.snapshot} of volume {experiment.svm}:{experiment.volume}, which has been "
                f"removed. Its dataset version {experiment.dataset_version.id} may still be there: repeat the run with "
                "its own DAG, by Repeat a run."
            )


class ExperimentWorkspaceOperator(WorkspaceCreateOperator):
    """Clone the snapshot of the experiment that was chosen, for this run: data, model and logs as they were frozen.

    Use as setup, with :class:`WorkspaceDeleteOperator` as its teardown. A retry finds the clone of its first try.

    :return: the Workspace, as JSON.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"with_bucket": False, **kwargs})

    def execute(self, context: Context) -> dict[str, Any]:
        frozen = result_of(context, CHOOSE, FROZEN)
        if not frozen:
            raise ValueError(f"Task {CHOOSE} of this run has told no snapshot of an experiment: let it run first.")
        self.dataset_version = frozen
        return super().execute(context)


class ExperimentProgramOperator(ProgramOperator):
    """Run the program of the experiment that was chosen: the one that trained or judged it, in this run's clone.

    :param part: ``train`` or ``evaluate``; the task id if not given.
    """

    def __init__(self, *, part: str | None = None, **kwargs: Any) -> None:
        settings = {"program": "of the experiment", "volumes": {WORKSPACE: ""}, **kwargs}
        super().__init__(**settings)
        self.part = part or self.task_id

    def workload(self, context: Context) -> Workload:
        self.program = (result_of(context, CHOOSE, PROGRAMS) or {})[self.part]
        return super().workload(context)
