"""What a DAG file puts together: the steps of one run of a system."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, TaskGroup
from airflow.sdk.definitions.taskgroup import DAGNode

from ontap_mlops import locations, names, registry
from ontap_mlops.operators.choose import RunChooseOperator
from ontap_mlops.operators.claims import ModelClaimOperator, ModelReleaseOperator
from ontap_mlops.operators.dataset_difference import DatasetDifferenceOperator
from ontap_mlops.operators.experiment_difference import ExperimentDifferenceOperator
from ontap_mlops.operators.experiments import (
    ExperimentCloneOperator,
    ExperimentFreezeOperator,
    ExperimentGatherOperator,
)
from ontap_mlops.operators.judging import PromotionDecideOperator, RunCompareOperator, TrainingRecordOperator
from ontap_mlops.operators.links import PICTURES, MlflowRunLink
from ontap_mlops.operators.model_versions import ModelFoldersRemoveOperator, ModelVersionExpireOperator
from ontap_mlops.operators.parameters import ParameterListOperator
from ontap_mlops.operators.program import WORKSPACE, ProgramOperator
from ontap_mlops.operators.run_cache import CACHE, RunCacheOperator, RunCacheReleaseOperator, RunReadsOperator
from ontap_mlops.operators.summary import RunSummarizeOperator
from ontap_mlops.operators.volumes import OntapVolumeEnsureOperator
from ontap_mlops.operators.workspaces import WorkspaceCreateOperator, WorkspaceDeleteOperator
from ontap_mlops.pipelines import promoting, serving
from ontap_mlops.pipelines.promoting import MODELS
from ontap_mlops.pipelines.system import System
from ontap_mlops.sensors.training_data import TrainingDataReadySensor

RESULTS = "results"
RETIRED, CONFIRM = "old_models", "deploy.confirm"
EVALUATION_LIMIT = timedelta(hours=1)


class Run:
    """The steps of one run; the DAG file orders them with ``>>``.

    Where there is another site, ``data_ready`` comes first: nothing is chosen, cloned or submitted until what the run
    reads is there. ``choose`` and ``create_workspace`` come before every step that has nothing before it; the summary,
    the removal of the workspace and the release of the claim come after the last ones (see :meth:`finish`).
    """

    def __init__(self, system: System, dataset: registry.Dataset, tracked: Sequence[str]) -> None:
        self.system = system
        self.dataset = dataset
        # The connection with the S3 keys of the SVM, as provision_ontap and replicate make it; reads datasets.yaml.
        self.bucket_conn_id = locations.chosen(dataset, "keys_conn_id")
        self.facts: dict[str, str] = {}
        self.programs: list[Any] = []
        self.decide: PromotionDecideOperator | None = None
        self.claim: Any = None
        self.record: Any = None
        self.model_volume: Any = None
        self.loaded: list[Any] = []
        self.choose = RunChooseOperator(
            task_id="choose",
            dataset=dataset.name,
            model=system.registered_model,
            parameters=list(tracked),
            champion_parameters=[system.starts_from] if system.starts_from else [],
            site=locations.chosen(dataset, "site"),
        )
        self.workspace = WorkspaceCreateOperator(
            task_id="create_workspace",
            with_bucket="{{ params.read_through == 'bucket' }}" if system.buckets else False,
        ).as_setup()
        self.choose >> self.workspace
        self.cache = self._cache() if system.cached else None
        self.gate = self._gate()

    def _cache(self) -> RunCacheOperator:
        """Between the workspace and whatever comes first; its lease ends with the last program."""
        cache = RunCacheOperator(task_id=CACHE, **self._cache_settings()).as_setup()
        self.workspace >> cache
        return cache

    def _cache_settings(self) -> dict[str, Any]:
        return {
            "dataset": self.dataset.name,
            "cache_at": "{{ params.cache_at }}",
            "compute": "{{ params.compute }}",
            "ontap_conn_id": None,  # that of the site
        }

    def reads(self, *, training: Any) -> RunReadsOperator:
        """Say how much of the data came from the source, beside the run before: for a system whose runs are cached."""
        self.facts["reads"] = "reads"
        made = RunReadsOperator(task_id="reads", training=training.task_id)
        training >> made
        return made

    def _gate(self) -> TrainingDataReadySensor | None:
        """Before anything else, wait for data at another site; None where there is none to choose."""
        if len(locations.choices()) == 1:
            return None
        gate = TrainingDataReadySensor(
            task_id="data_ready",
            dataset=self.dataset.name,
            site="{{ params.site }}",
            version="{{ params.dataset_version or '' }}",
            within_min="{{ params.site_within_min or '' }}",
        )
        gate >> self.choose
        return gate

    @property
    def svm(self) -> str | None:
        """None means the connection's own."""
        return locations.chosen(self.dataset, "svm") or None

    def program(
        self,
        task_id: str,
        *,
        program: str | None = None,
        volumes: Sequence[str] = (WORKSPACE,),
        each: str | None = None,
        at_once: int = 1,
        compute: Any = "{{ params.compute }}",
        time_limit: timedelta = timedelta(hours=1),
        **arguments: Any,
    ) -> Any:
        """A program of the system (``tasks.<system>.<task_id>``) that gets the run's record, data and volumes.

        :param program: another module, or the name of another program of the system.
        :param volumes: ``workspace``, ``models`` (the system's model volume), ``results`` (its volume for results).
        :param each: name of a list Param: one instance for each value, which the program gets as a flag named like the
            Param without its plural s.
        :param at_once: how many of these run side by side.
        """
        settings = {
            "task_id": task_id,
            "program": self.system.module(program or task_id),
            "doc_md": f"Run the program `{self.system.module(program or task_id)}` on what the run has settled.",
            "volumes": {key: self._volume(key) for key in volumes},
            "bucket_conn_id": self.bucket_conn_id,
            "compute": compute,
            "time_limit": time_limit,
            **({"cached": self.cache.task_id} if self.cache and WORKSPACE in volumes else {}),
            **({"project": "{{ params.project or '' }}"} if "project" in self.choose.dag.params else {}),
            **arguments,
        }
        made = self._mapped(each, at_once, settings) if each else ProgramOperator(**settings)
        if WORKSPACE in volumes:
            self.programs.append(made)
        return made

    def difference(self, *, since: str | None = None, **arguments: Any) -> DatasetDifferenceOperator:
        """What is new in the run's dataset version: ``changes.jsonl`` in the run's folder, for a program that needs no
        more than that.

        :param since: id of the earlier version, or a template of it; the one before the run's own if not given.
        """
        settings = {
            "task_id": "difference",
            "compute": "{{ params.compute }}",
            "ontap_conn_id": locations.chosen(self.dataset, "ontap_conn_id"),
            "bucket_conn_id": self.bucket_conn_id,
            "time_limit": timedelta(minutes=10),
            **arguments,
        }
        made = DatasetDifferenceOperator(since=since, **settings)
        self.programs.append(made)
        return made

    def _mapped(self, each: str, at_once: int, settings: dict[str, Any]) -> Any:
        values = ParameterListOperator(task_id=each, parameter=each)
        self.workspace >> values
        flag = each.removesuffix("s")
        mapped = ProgramOperator.partial(
            map_index_template="{{ task.step }}",
            max_active_tis_per_dagrun=at_once,
            each_flag=flag,
            labels=[flag],
            **settings,
        )
        return mapped.expand(step=values.output)

    def _volume(self, key: str) -> str:
        return {WORKSPACE: "", MODELS: self.system.model_volume, RESULTS: self.system.results_volume}[key]

    def results(self, **arguments: Any) -> OntapVolumeEnsureOperator:
        """Make sure of the volume for what the run leaves beside its model."""
        return self._ensure(RESULTS, self.system.results_volume, RESULTS, **arguments)

    def models(self) -> OntapVolumeEnsureOperator:
        """Make sure of the system's model volume before a program that reads earlier models; else ``judge`` does."""
        self.model_volume = self._ensure("model_volume", self.system.model_volume, "models")
        return self.model_volume

    def _ensure(self, task_id: str, volume: str, what: str, **arguments: Any) -> OntapVolumeEnsureOperator:
        return OntapVolumeEnsureOperator(
            task_id=task_id,
            svm=self.svm,
            volume=volume,
            size_bytes=self.dataset.size_bytes,
            junction_path=names.junction_path(volume),
            comment=f"ontap-mlops {what} of {self.system.registered_model}",
            **arguments,
        )

    def judge(
        self,
        evaluate: str = "evaluate",
        *,
        training: Any,
        keep: Sequence[str] = (),
        volumes: Sequence[str] = (WORKSPACE, MODELS),
        **arguments: Any,
    ) -> TaskGroup:
        """Claim the model, judge challenger and champion on the same held-out rows, keep the record, decide.

        :param evaluate: the program that judges.
        :param training: the task whose result has the ``mlflow_run_id`` of what was trained, or of the ``best`` of it.
        :param keep: task ids to go on with when the champion stays; ``summary`` by default.
        """
        read_before = self.model_volume is not None
        volume = self.model_volume or self.models()
        with TaskGroup("judge", prefix_group_id=False, tooltip="Champion and challenger on the same rows") as group:
            self.claim = ModelClaimOperator(
                task_id="claim", model=self.system.registered_model, volume=self.system.model_volume, svm=self.svm
            ).as_setup()
            judging = {
                "time_limit": EVALUATION_LIMIT,
                "buttons": (*PICTURES, MlflowRunLink()),
                **arguments,
            }
            judged = self.program(evaluate, volumes=volumes, champion=True, **judging)
            self.record = TrainingRecordOperator(task_id="record", training=training.task_id, evaluation=evaluate)
            self.decide = PromotionDecideOperator(task_id="decide", evaluation=evaluate, keep=[*keep] or ["summary"])
            self.claim >> judged >> self.record >> self.decide
        if not read_before:
            volume >> self.claim
        self.facts |= {"decision": "decide", "mlflow_run_id": "record:mlflow_run_id"}
        self.facts |= {key: f"{evaluate}:{key}" for key in ("metrics", "held_out", "pictures", "mlflow_url")}
        return group

    def experiment(self, *, train: str = "train", evaluate: str = "evaluate") -> TaskGroup:
        """Freeze data, model, logs and code version together, and show what differs from another experiment.

        It comes after the record of the training; the Params ``snapshot`` (true or false) and ``compare_with`` (a run
        key, or null) say whether, and which other. The DAG ``restore_experiment`` repeats it.
        """
        programs = {"train": self.system.module(train), "evaluate": self.system.module(evaluate)}
        with TaskGroup("experiment", tooltip="Freeze data, model, logs and code version as one snapshot") as group:
            clone = ExperimentCloneOperator(task_id="clone")
            gather = ExperimentGatherOperator(
                task_id="gather",
                program="tasks.experiments.gather",
                volumes={WORKSPACE: ""},
                compute="{{ params.compute }}",
                bucket_conn_id=self.bucket_conn_id,
                time_limit=timedelta(hours=1),
                mlflow_conn_id=None,
                buttons=(),
            )
            self.programs.append(gather)
            freeze = ExperimentFreezeOperator(task_id="freeze", programs=programs)
            difference = ExperimentDifferenceOperator(task_id="difference", other="{{ params.compare_with or '' }}")
            clone >> gather >> freeze >> difference
        self.facts |= {"experiment": "experiment.freeze", "difference": "experiment.difference"}
        return group

    def promote(self) -> TaskGroup:
        """Make a model version of what was trained: copied to the model volume, frozen, registered.

        Its evidence is locked where ``keep: evidence_days`` of the dataset says for how long.
        """
        return promoting.promote(self)

    def serve_online(self, prove: str, **arguments: Any) -> TaskGroup:
        """Serve the version, prove it with real data by the program ``prove``, or put the old one back."""
        self.facts["deployment"] = CONFIRM
        return serving.serve_online(self, prove=prove, **arguments)

    def serve_batch(self, score: Any, **arguments: Any) -> Any:
        """Make the version the one that batch scoring uses, once ``score`` has scored with it."""
        self.facts["deployment"] = CONFIRM
        return serving.serve_batch(self, score=score, **arguments)

    def finish(self) -> None:
        """Add what comes last and join the loose ends; called once, after the DAG file's own steps."""
        dag = self.workspace.dag
        if self.decide is None:
            raise ValueError(f"DAG {dag.dag_id} judges nothing: call run.judge(...) in its steps.")
        compare = RunCompareOperator(task_id="compare_with_record", evaluation=self.decide.evaluation)
        self.facts["comparison"] = "compare_with_record"
        self.decide >> compare
        first = self.cache or self.workspace
        for task in _without_upstream(dag, but=(self.choose, self.gate)):
            first >> task
        leaves = [task for task in dag.leaves if task not in (self.choose, self.workspace, first)]
        programs = [made.task_id for made in self.programs if not made.is_mapped]
        summary = RunSummarizeOperator(task_id="summary", facts=self.facts, programs=programs)
        for leaf in leaves:
            if not leaf.is_teardown:
                leaf >> summary
        self.decide >> summary
        self._clean_up(dag)
        if CONFIRM in dag.task_ids:
            dag.get_task(CONFIRM) >> self._retire()

    def _retire(self) -> TaskGroup:
        """Once another version is deployed, old ones that are neither champion nor kept give their room back."""
        with TaskGroup(
            RETIRED, tooltip="Old model versions go, unless they serve, were just replaced or are kept"
        ) as group:
            expire = ModelVersionExpireOperator(
                task_id="versions",
                model=self.system.registered_model,
                keep_newest=self.system.keep_models,
                svm=self.svm,
            )
            folders = ModelFoldersRemoveOperator(
                task_id="folders",
                expired=f"{RETIRED}.versions",
                volumes={MODELS: self.system.model_volume},
                compute="{{ params.compute }}",
            )
            expire >> folders
        return group

    def _clean_up(self, dag: DAG) -> None:
        """Teardowns hang behind the last tasks that need what they undo, never behind a branch (decision 13)."""
        delete = WorkspaceDeleteOperator(task_id="delete_workspace", svm=self.svm).as_teardown(
            setups=self.workspace, on_failure_fail_dagrun=True
        )
        _last(self.programs) >> delete
        if self.cache:
            give_up = RunCacheReleaseOperator(task_id="release_cache", **self._cache_settings())
            _last(self.programs) >> give_up.as_teardown(setups=self.cache, on_failure_fail_dagrun=True)
        release = ModelReleaseOperator(
            task_id="release", model=self.system.registered_model, volume=self.system.model_volume, svm=self.svm
        ).as_teardown(setups=[self.claim, *self.loaded], on_failure_fail_dagrun=True)
        changing = [task for task in dag.tasks if task.task_id.startswith(("promote.", "deploy"))]
        _last(changing) >> release


def _without_upstream(dag: DAG, but: Sequence[DAGNode | None]) -> list[Any]:
    return [task for task in dag.tasks if not task.upstream_task_ids and task not in but]


def _last(tasks: Sequence[Any]) -> list[Any]:
    """Those that none of the others comes after."""
    ids = {task.task_id for task in tasks}
    return [task for task in tasks if not ids & task.get_flat_relative_ids(upstream=False)]
