"""Against a real MLflow server, whose own client reads back what was written."""

from __future__ import annotations

import urllib.error
from pathlib import Path
from typing import Any

import pytest

from tasks.common import mlflow_rest
from tasks.common.mlflow_rest import MlflowRest
from tasks.common.program import BadInput, Stopped, TryAgain
from tasks.common.tracking import Run, parse_tags


@pytest.fixture
def server(mlflow_port: int, monkeypatch: pytest.MonkeyPatch) -> MlflowRest:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{mlflow_port}")
    return MlflowRest(f"http://127.0.0.1:{mlflow_port}")


def read(server: MlflowRest, run: Run) -> dict[str, Any]:
    return server.get("runs/get", run_id=run.run_id)["run"]


def test_parameters_metrics_tags_and_files_are_stored(server: MlflowRest, tmp_path: Path):
    (tmp_path / "model.json").write_text("{}")
    with Run("first", experiment="e1", tags={"dataset_version": "v1"}) as run:
        run.parameters({"seed": 1})
        run.metrics({"accuracy": 0.5}, step=1)
        run.artifact(tmp_path / "model.json", "model")
    stored = read(server, run)
    assert stored["info"]["status"] == "FINISHED"
    assert stored["info"]["run_name"] == "first"
    assert stored["data"]["params"] == [{"key": "seed", "value": "1"}]
    assert [(m["key"], m["value"], m["step"]) for m in stored["data"]["metrics"]] == [("accuracy", 0.5, 1)]
    assert {"key": "dataset_version", "value": "v1"} in stored["data"]["tags"]
    assert server.get("artifacts/list", run_id=run.run_id, path="model")["files"][0]["path"] == "model/model.json"


def test_a_retry_goes_on_with_the_same_run_and_doubles_nothing(server: MlflowRest):
    ids = set()
    for tags in ({}, {"try": "2"}):
        with Run("retried", experiment="e2", tags=tags) as run:
            run.parameters({"seed": 1})
            run.metrics({"loss": 0.25}, step=1, time_ms=1_700_000_000_000)
        ids.add(run.run_id)
    assert len(ids) == 1
    assert len(server.get("metrics/get-history", run_id=run.run_id, metric_key="loss")["metrics"]) == 1
    assert {"key": "try", "value": "2"} in read(server, run)["data"]["tags"]


@pytest.mark.parametrize(("error", "status"), [(Stopped, "KILLED"), (ValueError, "FAILED")])
def test_how_it_ended_is_kept(server: MlflowRest, error: type[BaseException], status: str):
    with pytest.raises(error), Run(f"ends {status}", experiment="e3") as run:
        raise error
    assert read(server, run)["info"]["status"] == status


def test_what_the_server_refuses_is_one_sentence(server: MlflowRest):
    with pytest.raises(BadInput, match="MLflow refused POST .*/runs/update.*RESOURCE_DOES_NOT_EXIST"):
        server.post("runs/update", run_id="0" * 32, status="FINISHED")


def test_without_a_server_nothing_happens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with Run("none") as run:
        run.metrics({"x": 1})
        run.artifact(tmp_path / "not even there")
    assert (run.run_id, run.url, run.identity) == ("", "", {})


def test_another_kind_of_address_is_one_sentence(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///x.db")
    with pytest.raises(BadInput, match="MLFLOW_TRACKING_URI is sqlite:///x.db"):
        Run("x")


def test_a_silent_server_is_tried_again_then_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch):
    waits: list[float] = []
    monkeypatch.setattr(mlflow_rest.time, "sleep", waits.append)
    server = MlflowRest("http://127.0.0.1:9")
    with pytest.raises(TryAgain, match="MLflow at http://127.0.0.1:9 does not answer"):
        server.get("experiments/get-by-name", experiment_name="x")
    assert waits == [0.5, 1, 2, 4]
    with pytest.raises(TryAgain):
        server.post("runs/create", once=True)
    assert len(waits) == 4


def test_credentials_are_sent_and_never_shown(monkeypatch: pytest.MonkeyPatch):
    sent = []

    def answer(request: Any, **settings: Any) -> None:
        sent.append(request.get_header("Authorization"))
        raise urllib.error.URLError("down")

    monkeypatch.setattr(mlflow_rest.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(mlflow_rest.urllib.request, "urlopen", answer)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ada")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    with pytest.raises(TryAgain) as caught:
        MlflowRest("http://127.0.0.1:9").post("runs/create", once=True)
    assert sent == ["Basic YWRhOnNlY3JldA=="]
    assert "secret" not in str(caught.value)


def test_tags_are_key_and_value():
    assert parse_tags(["a=b", "c=d=e"]) == {"a": "b", "c": "d=e"}
    with pytest.raises(BadInput, match="--tag 'a' is not of the form key=value"):
        parse_tags(["a"])


ODD_NAMES = [
    "/data/bob's run", 'it\'s "quoted"', "ends\\", "100% under_score", "a`b;c -- d", "日本 'é'",
    "mine' AND attributes.status != 'NONE", "x' OR '1'='1",
]  # fmt: skip


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_run_of_any_name_is_joined_again_and_no_other_is(server: MlflowRest, name: str):
    ids = []
    for each in ("mine", 'itxs "quoted"', name, name, "/data/bobxs run", name.upper()):
        with Run(each, experiment=f"odd {ODD_NAMES.index(name)}") as run:
            ids.append(run.run_id)
    assert ids[2] == ids[3]
    assert len(set(ids)) == 5 if name.upper() != name else 4


@pytest.mark.parametrize("name", ["it's deleted", "deleted"])
def test_a_deleted_experiment_is_named_with_how_to_go_on(server: MlflowRest, name: str):
    with Run("first", experiment=name):
        number = server.get("experiments/get-by-name", experiment_name=name)["experiment"]["experiment_id"]
    server.post("experiments/delete", experiment_id=number)
    with pytest.raises(BadInput) as caught, Run("second", experiment=name):
        raise AssertionError("never begun")
    assert f"Experiment {name!r} of MLflow at {server.uri} was deleted" in str(caught.value)
    assert f"mlflow experiments restore --experiment-id {number}" in str(caught.value)
    server.post("experiments/restore", experiment_id=number)
    with Run("second", experiment=name) as run:
        assert run.run_id
