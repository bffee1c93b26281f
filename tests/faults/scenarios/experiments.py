from ontap_mlops import names
from ontap_mlops.ontap import experiments
from ontap_mlops.operators.context import CHOOSE, RECORD
from ontap_mlops.operators.experiments import (
    FROZEN,
    ExperimentCloneOperator,
    ExperimentFreezeOperator,
    ExperimentWorkspaceOperator,
)
from ontap_mlops.records import RunRecord, TrainingRecord
from tests.faults.scenarios.models import begun
from tests.faults.scenarios.results import chosen
from tests.faults.site import DAG_ID, SVM, Scenario, Site

PROGRAMS = {"train": "tasks.lane.train", "evaluate": "tasks.lane.evaluate"}


def wanted(site: Site) -> None:
    """A run that is to freeze its experiment."""
    chosen(site)
    site.params["snapshot"] = True


def run(site: Site) -> RunRecord:
    return RunRecord.from_json(site.results[CHOOSE])


def cloned(site: Site) -> None:
    """The same, trained, with its clone."""
    wanted(site)
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


def frozen(site: Site) -> None:
    """The experiment that a run has chosen, frozen by another."""
    cloned(site)
    made = experiments.freeze(site.client, svm=SVM, run_key=site.run_key, model=run(site).model)
    version = run(site).dataset_version.to_json()
    volume = names.experiment_volume(site.run_key)
    site.results[CHOOSE, FROZEN] = {**version, "volume": volume, "snapshot": made.name, "snapshot_uuid": made.uuid}


def freeze() -> ExperimentFreezeOperator:
    return ExperimentFreezeOperator(task_id="t", programs=PROGRAMS)


def tracked(site: Site) -> None:
    """A run whose training MLflow tracks."""
    cloned(site)
    site.results[RECORD] = {**site.results[RECORD], "mlflow_run_id": begun()}


SCENARIOS = [
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
