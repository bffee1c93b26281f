"""An experiment frozen, found again and set beside another; the emulator as ONTAP, MLflow as a stand-in."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from ontap_mlops.ontap import experiments, marks, snapshots, volumes
from ontap_mlops.operators.experiment_difference import ExperimentDifferenceOperator, differences, in_words, table
from ontap_mlops.operators.experiments import (
    FROZEN,
    ExperimentChooseOperator,
    ExperimentCloneOperator,
    ExperimentFreezeOperator,
    ExperimentGatherOperator,
    ExperimentProgramOperator,
    ExperimentWorkspaceOperator,
)
from ontap_mlops.records import Experiment, RunRecord
from tests.ontap_mlops.operators.run_context import TRAINING, VERSION, context, record
from tests.ontap_mlops.operators.test_program_operator import workspace

GIB = 1024**3
PROGRAMS = {"train": "tasks.lane.train", "evaluate": "tasks.lane.evaluate"}


class Kept:
    """What MLflow has kept of experiments and trainings, by run key."""

    experiments: Any = None
    kept: dict[str, Experiment] = {}
    trainings: dict[str, Any] = {}

    def __init__(self, conn_id: str = "") -> None:
        self.experiments = self

    def freeze(self, experiment: Experiment) -> None:
        self.kept[experiment.run_key] = experiment

    def frozen(self, key: str) -> Experiment | None:
        return self.kept.get(key)

    def of_model(self, model: str) -> list[Experiment]:
        return [self.kept[key] for key in sorted(self.kept)]

    def training_record(self, key: str) -> Any:
        return self.trainings[key]


@pytest.fixture
def mlflow(monkeypatch):
    from ontap_mlops.hooks import mlflow

    class Fresh(Kept):
        kept: dict[str, Experiment] = {}
        trainings: dict[str, Any] = {}

    monkeypatch.setattr(mlflow, "MlflowHook", Fresh)
    return Fresh


@pytest.fixture
def run(ontap, client, monkeypatch) -> RunRecord:
    """A run on a version that is there."""
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection())
    volume = volumes.ensure(
        client, svm="svm1", name="tyre_images", size_bytes=GIB, comment=marks.mark("dataset tyre_images")
    )
    made = snapshots.ensure(client, volume_uuid=volume.uuid, name=VERSION.snapshot, comment=json.dumps({}))
    version = dataclasses.replace(VERSION, volume_uuid=volume.uuid, snapshot_uuid=made.uuid)
    return record(dataset_version=version, parameters={"seed": 7, "workers": 2})


def frozen(run: RunRecord, mlflow) -> Experiment:
    """What the steps of a training DAG leave."""
    training = dataclasses.replace(TRAINING, run_key=run.run_key, dataset_version=run.dataset_version)
    training = dataclasses.replace(training, parameters=run.parameters)
    mlflow.trainings[run.run_key] = training
    known = {"choose": run.to_json(), "record": training.to_json()}
    ExperimentCloneOperator(task_id="clone").execute(context(known, params={"snapshot": True}))
    return Experiment.from_json(ExperimentFreezeOperator(task_id="freeze", programs=PROGRAMS).execute(context(known)))


def chosen(run: RunRecord) -> tuple[RunRecord, dict[str, Any]]:
    told = context({})
    answer = ExperimentChooseOperator(task_id="choose", experiment=run.run_key).execute(told)
    return RunRecord.from_json(answer), told["ti"].pushed


def test_an_experiment_is_one_snapshot_of_a_clone_and_a_retry_finds_it(run, mlflow, client):
    experiment = frozen(run, mlflow)
    assert (experiment.volume, experiment.snapshot) == (f"mlops_exp_{run.run_key}", f"mlops_{run.run_key}")
    clone = volumes.get(client, svm="svm1", name=experiment.volume)
    assert (clone.parent_volume, clone.parent_snapshot) == ("tyre_images", VERSION.snapshot)
    assert experiments.run_of(clone) == run.run_key
    assert frozen(run, mlflow) == experiment
    assert len(snapshots.list_snapshots(client, volume_uuid=clone.uuid, name="mlops_*")) == 1


def test_nothing_is_frozen_where_the_parameter_is_off(run, mlflow, client):
    with pytest.raises(AirflowSkipException):
        ExperimentCloneOperator(task_id="clone").execute(context({"choose": run.to_json()}, params={"snapshot": False}))
    assert volumes.find(client, svm="svm1", name=f"mlops_exp_{run.run_key}") is None


def test_what_is_gathered_goes_to_the_runs_own_volume(run):
    known = {"choose": run.to_json(), "create_workspace": workspace()}
    gather = ExperimentGatherOperator(
        task_id="gather", program="tasks.experiments.gather", volumes={"workspace": ""}, mlflow_conn_id=None
    )
    workload = gather.workload(context(known))
    assert workload.mounts["experiment"].junction_path == f"/mlops_exp_{run.run_key}"
    assert workload.run["folders"]["experiment"] == "{experiment}"


def test_a_chosen_experiment_repeats_data_parameters_and_processes_in_a_clone_of_its_snapshot(run, mlflow, client):
    experiment = frozen(run, mlflow)
    again, told = chosen(run)
    assert (again.parameters, again.promote) == ({"seed": 7, "workers": 2}, "never")
    assert again.repeat_of is not None and again.repeat_of.run_key == run.run_key
    assert told["programs"] == PROGRAMS

    known = {"choose": again.to_json(), ("choose", FROZEN): told[FROZEN], ("choose", "programs"): PROGRAMS}
    made = ExperimentWorkspaceOperator(task_id="create_workspace").execute(context(known))
    clone = volumes.get(client, svm="svm1", name=made["volume"])
    assert (clone.parent_volume, clone.parent_snapshot) == (experiment.volume, experiment.snapshot)

    train = ExperimentProgramOperator(
        task_id="train", flags={"output": "{workspace}/again"}, processes_parameter="workers", mlflow_conn_id=None
    )
    workload = train.workload(context({**known, "create_workspace": made}))
    assert (workload.program, workload.processes) == ("tasks.lane.train", 2)
    assert workload.arguments == ("--output", "{workspace}/again")


def test_a_snapshot_that_was_removed_is_named_in_one_sentence(run, mlflow, client):
    experiment = frozen(run, mlflow)
    snapshots.delete(client, volume_uuid=experiment.volume_uuid, name=experiment.snapshot)
    gone = rf"The experiment of run {run.run_key} \(MLflow run m1\) was frozen as snapshot mlops_{run.run_key} of "
    gone += rf"volume svm1:mlops_exp_{run.run_key}, which has been removed"
    with pytest.raises(AirflowFailException, match=gone):
        chosen(run)
    volumes.delete(client, svm="svm1", name=experiment.volume)
    with pytest.raises(AirflowFailException, match=gone):
        chosen(run)


def test_a_run_without_an_experiment_is_answered_with_what_to_do(run, mlflow):
    mlflow.trainings[run.run_key] = TRAINING
    with pytest.raises(AirflowFailException, match="has frozen no experiment: its Param snapshot was off. Repeat it"):
        chosen(run)


def test_the_difference_of_two_experiments_marks_what_differs():
    other = dataclasses.replace(TRAINING, run_key="r0", parameters={"seed": 7, "epochs": 2}, metrics={"accuracy": 0.8})
    rows = differences(other, TRAINING)
    differing = {row["name"] for row in rows if row["differs"]}
    assert differing == {"parameter epochs", "metric accuracy", "metric f1"}
    assert any(
        line.startswith("* metric accuracy") and "0.8000" in line and "0.9000" in line
        for line in table(other, TRAINING, rows)
    )
    assert in_words(other, rows) == (
        "Beside r0: parameter epochs 2 -> -; metric accuracy 0.8000 -> 0.9000; metric f1 - -> 0.8000."
    )
    assert in_words(other, differences(other, other)) == "Beside r0: the same data, parameters, code and metrics."


def test_the_other_is_the_repeated_one_the_named_one_or_the_one_before(run, mlflow):
    earlier = dataclasses.replace(TRAINING, run_key="r00000000", metrics={"accuracy": 0.5, "f1": 0.8})
    mlflow.trainings = {"r00000000": earlier, "named": dataclasses.replace(TRAINING, run_key="named")}
    mlflow.kept["r00000000"] = dataclasses.replace(_experiment(), run_key="r00000000")
    this = {"record": TRAINING.to_json()}
    compared = lambda run, **arguments: ExperimentDifferenceOperator(task_id="t", **arguments).execute(  # noqa: E731
        context({"choose": run.to_json(), **this})
    )
    assert compared(record())["other"] == "r00000000"
    assert not compared(record())["same"]
    assert compared(record(), other="named")["other"] == "named"
    repeated = compared(record(repeat_of=TRAINING))
    assert (repeated["other"], repeated["same"]) == (TRAINING.run_key, True)
    mlflow.kept.clear()
    with pytest.raises(AirflowSkipException):
        compared(record())


def _experiment() -> Experiment:
    facts = {"mlflow_run_id": "m", "model": "tyre", "svm": "svm1", "volume": "v", "volume_uuid": "u"}
    more = {"snapshot": "s", "snapshot_uuid": "su", "created_at": "", "code_commit": "abc", "programs": {}}
    return Experiment(run_key="r0", dataset_version=VERSION, **facts, **more)
