"""What MLflow knows of a run lies beside the model, in files, with their digests; from a real MLflow."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.common.mlflow_rest import MlflowRest
from tasks.common.tracking import Run
from tasks.governance import tracking
from tests.serving import mlflow_connection, mlflow_port

__all__ = ["mlflow_connection", "mlflow_port"]


@pytest.fixture
def server(mlflow_connection: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[MlflowRest]:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_connection)
    yield MlflowRest(mlflow_connection)


def tracked(key: str, tmp_path: Path) -> str:
    picture = tmp_path / "confusion.png"
    picture.write_bytes(b"\x89PNG")
    large = tmp_path / "large.bin"
    large.write_bytes(b"0" * (tracking.LARGEST + 1))
    with Run(f"{key}-train", experiment="a_dag", tags={"run_key": key}) as run:
        run.parameters({"epochs": 2})
        for step in (1, 2):
            run.metrics({"loss": 1 / step}, step=step, time_ms=step)
        run.artifact(picture, "evaluation")
        run.artifact(large)
        run.artifact(picture, "model")
    return run.run_id


def exported(server: MlflowRest, tmp_path: Path, key: str, **other: Any) -> tuple[Path, dict[str, Any]]:
    run_folder = tmp_path / "run"
    (run_folder / "deep").mkdir(parents=True, exist_ok=True)
    (run_folder / "deep" / "history.jsonl").write_text('{"epoch": 1}\n')
    (run_folder / "checkpoint.pt").write_bytes(b"weights")
    destination = tmp_path / "models" / "evidence" / key
    facts = {"experiment": "a_dag", "run_key": key, "run_folder": run_folder, "destination": destination}
    return destination, tracking.export(server, **{**facts, **other})


def test_metrics_with_their_history_pictures_and_logs_are_kept(server: MlflowRest, tmp_path: Path) -> None:
    id_ = tracked("r1", tmp_path)
    tracked("r2", tmp_path)
    folder, told = exported(server, tmp_path, "r1")
    assert told == {"runs": 1, "files": 5}
    run = json.loads((folder / id_ / "run.json").read_text())
    assert (run["parameters"], run["metrics"], run["tags"]["run_key"]) == ({"epochs": "2"}, {"loss": 0.5}, "r1")
    history = json.loads((folder / id_ / "metrics.json").read_text())
    assert history == {"loss": [{"value": 1.0 / s, "step": s, "timestamp": s} for s in (1, 2)]}
    assert (folder / id_ / "artifacts" / "evaluation" / "confusion.png").read_bytes() == b"\x89PNG"
    assert (folder / "logs" / "deep" / "history.jsonl").read_text() == '{"epoch": 1}\n'
    index = json.loads((folder / "index.json").read_text())
    for name, facts in index["files"].items():
        content = (folder / name).read_bytes()
        assert facts == {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    assert sorted(index["left_out"]) == [f"{id_}/artifacts/large.bin", f"{id_}/artifacts/model/confusion.png"]


def test_a_second_try_keeps_what_is_known_then(server: MlflowRest, tmp_path: Path) -> None:
    id_ = tracked("r3", tmp_path)
    exported(server, tmp_path, "r3")
    with Run("r3-train", experiment="a_dag") as run:
        run.metrics({"accuracy": 0.75})
    folder, _ = exported(server, tmp_path, "r3")
    assert json.loads((folder / id_ / "run.json").read_text())["metrics"]["accuracy"] == 0.75
    assert [path.name for path in folder.parent.iterdir()] == ["r3"]


def test_a_run_that_mlflow_does_not_know_leaves_its_logs_alone(server: MlflowRest, tmp_path: Path) -> None:
    for experiment in ("a_dag", "never_seen"):
        folder, told = exported(server, tmp_path, "r_unknown", experiment=experiment)
        assert told == {"runs": 0, "files": 2}
        assert sorted(path.name for path in folder.iterdir()) == ["index.json", "logs"]
