import time
from typing import Any

from ontap_mlops import names
from ontap_mlops.hooks.mlflow import MlflowHook
from ontap_mlops.ontap import experiments
from ontap_mlops.operators.context import CHOOSE, RECORD
from ontap_mlops.operators.experiments import (
    FROZEN,
    PROGRAMS,
    ExperimentChooseOperator,
    ExperimentCloneOperator,
    ExperimentFreezeOperator,
    ExperimentWorkspaceOperator,
)
from ontap_mlops.records import RunRecord, TrainingRecord
from tests.faults.scenarios.models import begun
from tests.faults.scenarios.results import chosen
from tests.faults.site import DAG_ID, RUN_AFTER, SVM, Scenario, Site

TRAINED = {"train": "tasks.lane.train", "evaluate": "tasks.lane.evaluate"}


def wanted(site: Site) -> None:
    """A run that is to freeze its experiment."""
    chosen(site)
    site.params["snapshot"] = True


def run(site: Site) -> RunRecord:
    return RunRecord.from_json(site.results[CHOOSE])


def clone(site: Site) -> None:
    """Give the run that was chosen the clone of its experiment, and the record of its training."""
    record = run(site)
    parent = {"parent_volume": record.dataset_version.volume, "parent_snapshot": record.dataset_version.snapshot}
    experiments.ensure(site.client, svm=SVM, run_key=record.run_key, model=record.model, **parent)
    site.results[RECORD] = TrainingRecord(
        run_key=record.run_key,
        mlflow_run_id="m1",
        dataset_version=record.dataset_version,
        parameters={"seed": 1},
        metrics={"accuracy": 0.9},
        code_commit="abc",
        dag_id=DAG_ID,
        model=record.model,
    ).to_json()


def cloned(site: Site) -> None:
    """A run that is to freeze its experiment, trained, with its clone."""
    wanted(site)
    clone(site)


def frozen(site: Site) -> None:
    """The experiment that a run has chosen, frozen by another."""
    cloned(site)
    made = experiments.freeze(site.client, svm=SVM, run_key=site.run_key, model=run(site).model)
    version = run(site).dataset_version.to_json()
    volume = names.experiment_volume(site.run_key)
    site.results[CHOOSE, FROZEN] = {**version, "volume": volume, "snapshot": made.name, "snapshot_uuid": made.uuid}


def freeze() -> ExperimentFreezeOperator:
    return ExperimentFreezeOperator(task_id="t", programs=TRAINED)


def tracked(site: Site) -> None:
    """A run whose training MLflow tracks."""
    cloned(site)
    site.results[RECORD] = {**site.results[RECORD], "mlflow_run_id": begun()}


def to_repeat(site: Site) -> None:
    """An experiment of a run that MLflow has not met yet."""
    wanted(site)
    key = site.made["key"] = names.run_key(DAG_ID, f"manual__{time.time_ns()}", RUN_AFTER)
    site.called[key[-8:]] = "KEY"  # what is before it is a time
    site.results[CHOOSE] = {**site.results[CHOOSE], "run_key": key}
    clone(site)
    site.results[RECORD] = {**site.results[RECORD], "mlflow_run_id": begun()}
    site.run(freeze())
    MlflowHook().record_training(TrainingRecord.from_json(site.results[RECORD]))


def told(site: Site) -> dict[str, Any]:
    """All that is held, and which snapshot and programs later tasks are told of."""
    snapshot = site.pushed[FROZEN]
    same = {"volume": names.experiment_volume(site.made["key"]), "snapshot": names.snapshot(site.made["key"])}
    assert same.items() <= snapshot.items(), snapshot
    return {"held": site.held(), "programs": site.pushed[PROGRAMS]}


SCENARIOS = [
    Scenario(
        operator="ExperimentChooseOperator",
        prepare=to_repeat,
        make=lambda site: ExperimentChooseOperator(task_id="t", experiment=site.made["key"]),
        mlflow=True,
        end=told,
    ),
    Scenario(
        operator="ExperimentCloneOperator",
        prepare=wanted,
        make=lambda site: ExperimentCloneOperator(task_id="t"),
    ),
    Scenario(
        operator="ExperimentFreezeOperator",
        prepare=tracked,
        make=lambda site: freeze(),
        mlflow=True,
    ),
    Scenario(
        operator="ExperimentWorkspaceOperator",
        prepare=frozen,
        make=lambda site: ExperimentWorkspaceOperator(task_id="t"),
    ),
]
