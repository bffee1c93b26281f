"""The programs of one run, told by RUN_FILE alone, one after another as the DAG calls them."""

from __future__ import annotations

import json

import pytest

from tasks.common import program
from tasks.common.mlflow_rest import MlflowRest
from tasks.common.model_folder import LOADED
from tasks.models import publish
from tasks.tyre import evaluate, train
from tests.tasks.run_files import RUN, write_run_file


@pytest.fixture
def told(tyres, tmp_path, monkeypatch):
    """Calls a program with RUN_FILE and no flag at all."""
    folders = {name: str(tmp_path / name) for name in ("workspace", "models")}
    (tmp_path / "workspace").mkdir()
    (tmp_path / "workspace" / "data").symlink_to(tyres)  # as in a clone, where publishing looks for a scan
    monkeypatch.setenv("RUN_FILE", str(tmp_path / "run.json"))
    monkeypatch.setenv("RESULT_FILE", str(tmp_path / "result.json"))
    monkeypatch.setattr("sys.argv", ["program"])

    def call(main, step, champion=None, limit=None):
        parameters = {"configuration": "recommended", "epochs": 1, "limit": limit, "seed": 5}
        write_run_file(
            tmp_path / "run.json", parameters, step=step, data=str(tyres), folders=folders, champion=champion
        )
        assert program.exit_code(main) == 0, f"{step} failed"
        return json.loads((tmp_path / "result.json").read_text())

    return call


def test_a_run_needs_no_flags_at_all(told, tmp_path):
    trained = told(train.main, "train")
    assert (trained["epochs"], trained["output"]) == (1, str(tmp_path / "workspace/.mlops/run"))
    assert json.loads((tmp_path / "workspace/.mlops/run/model.json").read_text())["seed"] == 5
    assert list(told(evaluate.main, "evaluate")["metrics"]) == ["challenger"]
    assert told(publish.main, "publish")["folder"] == "r1"
    champion = {"folder": str(tmp_path / "models/r1"), "version": 1, "run_key": "r1"}
    assert list(told(evaluate.main, "evaluate", champion)["metrics"]) == ["challenger", "champion"]


def test_a_training_on_a_part_of_the_images_is_judged_on_all_that_are_held_out(told):
    part = told(train.main, "train", limit=50)["data"]
    judged = told(evaluate.main, "evaluate", limit=50)["held_out"]
    assert part["held_out"] < judged
    assert judged == told(evaluate.main, "evaluate")["held_out"]


def test_mlflows_page_of_a_run_says_in_words_what_it_is(told, mlflow_connection, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_connection)
    monkeypatch.setitem(RUN, "run_key", "r-page")
    run_id = told(train.main, "train")["mlflow_run_id"]
    run = MlflowRest(mlflow_connection).get("runs/get", run_id=run_id)["run"]
    shown = {tag["key"]: tag["value"] for tag in run["data"]["tags"]}
    assert "- **Data**: tyre_images version `v1` of " in shown["mlflow.note.content"]
    assert shown["mlflow.source.name"] == "Airflow DAG a_dag"
    assert shown["mlflow.source.git.commit"] == RUN["code_commit"]
    assert shown["mlflow.user"] == "airflow"


def test_a_training_that_is_cleared_after_an_upgrade_of_torch_goes_on(told, mlflow_connection, monkeypatch):
    """MLflow refuses another value of a parameter for good; a tag may change."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_connection)
    run_id = told(train.main, "train")["mlflow_run_id"]
    monkeypatch.setattr(train.torch, "__version__", "99.0")
    assert told(train.main, "train")["mlflow_run_id"] == run_id
    run = MlflowRest(mlflow_connection).get("runs/get", run_id=run_id)["run"]
    assert {"key": "torch", "value": "99.0"} in run["data"]["tags"]
    assert "torch" not in {parameter["key"] for parameter in run["data"]["params"]}


def test_mlflow_knows_which_version_was_read_to_train_and_to_judge(told, mlflow_connection, monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_connection)
    monkeypatch.setitem(RUN, "run_key", "r-lineage")
    told(train.main, "train")
    run_id = told(evaluate.main, "evaluate")["mlflow_run_id"]
    run = MlflowRest(mlflow_connection).get("runs/get", run_id=run_id)["run"]
    inputs = {entry["tags"][0]["value"]: entry["dataset"] for entry in run["inputs"]["dataset_inputs"]}
    assert inputs.keys() == {"training", "evaluation"}
    training = inputs["training"]
    assert (training["name"], training["source_type"]) == ("tyre_images", "ontap")
    assert training["digest"] == inputs["evaluation"]["digest"] == RUN["dataset_version"]["digest"][:36]
    source = json.loads(training["source"])
    assert source["uri"] == "ontap://svm1/tyre_images?snapshot=mlops_v1"
    assert (source["snapshot_uuid"], source["source"]) == ("s-1", "s3://lake/tyre")
    assert json.loads(training["profile"])["files"] == 72
    assert run["info"]["run_name"] == "r-lineage"
    files = MlflowRest(mlflow_connection).get("artifacts/list", run_id=run_id, path="model")["files"]
    assert {file["path"].removeprefix("model/") for file in files} == set(LOADED)
