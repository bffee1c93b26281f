"""An experiment frozen and repeated by the operators of both DAGs with the real programs, without a scheduler."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ontap_mlops import names
from ontap_mlops.ontap import marks, snapshots, volumes
from ontap_mlops.operators.experiment_difference import ExperimentDifferenceOperator
from ontap_mlops.operators.experiments import (
    ExperimentChooseOperator,
    ExperimentCloneOperator,
    ExperimentFreezeOperator,
    ExperimentGatherOperator,
    ExperimentProgramOperator,
    ExperimentWorkspaceOperator,
)
from ontap_mlops.operators.judging import RunCompareOperator
from ontap_mlops.operators.program import ProgramOperator
from ontap_mlops.operators.workspaces import WorkspaceCreateOperator
from ontap_mlops.records import RunRecord, TrainingRecord
from tasks.common.data import open_target
from tasks.lane import samples
from tests.ontap_mlops.operators.run_context import NOW, PARAMS, VERSION, record
from tests.ontap_mlops.operators.test_experiment_operators import PROGRAMS, Kept

# The programs, which train twice, are real; the journey of lane detection does the same with two processes.
pytestmark = pytest.mark.triton
ROOT = Path(__file__).resolve().parents[3]
GIB = 1024**3
AGAIN = "{workspace}/.mlops/again"
RUNS = {"lane_detection": "manual__1", "restore_experiment": "manual__2"}


class Run:
    """One DAG run without a scheduler: what its tasks returned and pushed."""

    def __init__(self, dag_id: str) -> None:
        self.dag_run = SimpleNamespace(
            dag_id=dag_id, run_id=RUNS[dag_id], run_after=NOW, logical_date=NOW, run_type="manual", conf=None
        )
        self.key = names.run_key(dag_id, RUNS[dag_id], NOW)
        self.results: dict[Any, Any] = {}

    def execute(self, operator: Any) -> Any:
        task = operator.task_id
        ti = SimpleNamespace(
            task_id=task,
            max_tries=3,
            map_index=-1,
            stats_tags={},
            xcom_pull=lambda task_ids, key="return_value": self.results.get((task_ids, key)),
            xcom_push=lambda key, value: self.results.update({(task, key): value}),
        )
        context = {"ti": ti, "dag_run": self.dag_run, "params": {**PARAMS, "snapshot": True}}
        self.results[task, "return_value"] = operator.execute(context)
        return self.results[task, "return_value"]


@pytest.fixture
def place(ontap, client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The local place beside the emulator, and what MLflow keeps."""
    from ontap_mlops.hooks import mlflow

    config = {"places": {"local": {"kind": "local", "namespace_roots": {"svm1": str(ontap.emulator.namespace)}}}}
    (tmp_path / "compute.yaml").write_text(json.dumps(config))
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__PROGRAMS_DIR", str(ROOT))
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__WORKLOADS_DIR", str(tmp_path / "workloads"))
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CODE_COMMIT", "abc")
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection())
    monkeypatch.setattr(Kept, "kept", {})
    monkeypatch.setattr(Kept, "trainings", {})
    monkeypatch.setattr(mlflow, "MlflowHook", Kept)
    return "local"


def program(kind: type, task_id: str, **arguments: Any) -> Any:
    settings = {"compute": "local", "mlflow_conn_id": None, "deferrable": False, "poll_interval_s": 0.5}
    return kind(task_id=task_id, **settings, **arguments)


def chosen(ontap, client, run: Run) -> RunRecord:
    """A version of road scenes, and a run that trains on it."""
    volume = volumes.ensure(
        client,
        svm="svm1",
        name="lane_detection",
        size_bytes=GIB,
        comment=marks.mark("dataset lane_detection"),
        junction_path="/lane_detection",
    )
    samples.bring(open_target(str(ontap.emulator.namespace / "lane_detection" / "data")), 24, 160)
    made = snapshots.ensure(client, volume_uuid=volume.uuid, name=VERSION.snapshot, comment="{}")
    facts = {"dataset": "lane_detection", "volume": "lane_detection", "volume_uuid": volume.uuid}
    version = dataclasses.replace(VERSION, snapshot_uuid=made.uuid, **facts)
    parameters = {"seed": 3, "epochs": 1, "batch_size": 8, "workers": 1, "validate": True, "configuration": "small"}
    told = record(
        run_key=run.key, dag_id="lane_detection", model="lane_detection", dataset_version=version, parameters=parameters
    )
    run.results["choose", "return_value"] = told.to_json()
    return told


def training(run: Run, told: RunRecord) -> TrainingRecord:
    return TrainingRecord(
        run_key=run.key,
        mlflow_run_id=f"m-{run.key}",
        dataset_version=told.dataset_version,
        parameters=told.parameters,
        metrics=run.results["evaluate", "return_value"]["metrics"]["challenger"],
        code_commit=told.code_commit,
        dag_id=told.dag_id,
        model=told.model,
    )


def test_a_frozen_experiment_trains_again_in_a_clone_to_equal_metrics(ontap, client, place):
    first = Run("lane_detection")
    told, workspace = chosen(ontap, client, first), {"volumes": {"workspace": ""}}
    first.execute(WorkspaceCreateOperator(task_id="create_workspace", with_bucket=False))
    train = {"processes_parameter": "workers", **workspace}
    first.execute(program(ProgramOperator, "train", program="tasks.lane.train", **train))
    model = {"model": "challenger={workspace}/.mlops/run"}
    first.execute(program(ProgramOperator, "evaluate", program="tasks.lane.evaluate", flags=model, **workspace))
    trained = training(first, told)
    first.results["record", "return_value"], Kept.trainings[first.key] = trained.to_json(), trained
    first.execute(ExperimentCloneOperator(task_id="clone"))
    first.execute(program(ExperimentGatherOperator, "gather", program="tasks.experiments.gather", **workspace))
    experiment = first.execute(ExperimentFreezeOperator(task_id="freeze", programs=PROGRAMS))
    kept = ontap.emulator.namespace / experiment["volume"] / ".snapshot" / experiment["snapshot"]
    frozen = ("data/label_data_day01.json", ".mlops/run/model.onnx", ".mlops/run/log.jsonl", ".mlops/experiment.json")
    assert [name for name in frozen if not (kept / name).is_file()] == []

    again = Run("restore_experiment")
    again.execute(ExperimentChooseOperator(task_id="choose", experiment=first.key))
    again.execute(ExperimentWorkspaceOperator(task_id="create_workspace"))
    again.execute(program(ExperimentProgramOperator, "train", flags={"output": AGAIN}, processes_parameter="workers"))
    again.execute(program(ExperimentProgramOperator, "evaluate", flags={"model": f"challenger={AGAIN}"}))
    compared = again.execute(RunCompareOperator(task_id="compare", evaluation="evaluate"))
    assert compared["equal"] == sorted(trained.metrics)
    record_ = RunRecord.from_json(again.results["choose", "return_value"])
    again.results["record", "return_value"] = training(again, record_).to_json()
    assert again.execute(ExperimentDifferenceOperator(task_id="difference"))["same"]
    workspace_ = ontap.emulator.namespace / names.workspace_volume(again.key) / ".mlops"
    models = [(workspace_ / folder / "weights.pt").read_bytes() for folder in ("run", "again")]
    assert models[0] == models[1], "the same weights, beside those that the experiment left"
