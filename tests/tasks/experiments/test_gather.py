"""What is kept of a run beside its data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tasks.common import program
from tasks.experiments import gather


def gathered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> int:
    folders = {"workspace": str(tmp_path / "workspace"), "experiment": str(tmp_path / "experiment")}
    told = {"run": {"run_key": "r1", "code_commit": "abc", "parameters": {"seed": 1}}, "folders": folders}
    (tmp_path / "run.json").write_text(json.dumps(told))
    monkeypatch.setenv("RUN_FILE", str(tmp_path / "run.json"))
    monkeypatch.setenv("RESULT_FILE", str(tmp_path / "result.json"))
    monkeypatch.setattr("sys.argv", ["gather"])
    return program.exit_code(gather.main)


def test_the_runs_folder_is_kept_with_its_record_and_a_second_try_makes_the_same(monkeypatch, tmp_path: Path):
    run = tmp_path / "workspace" / ".mlops" / "run"
    (run / "model").mkdir(parents=True)
    (run / "log.jsonl").write_text("{}\n")
    (run / "model" / "model.onnx").write_bytes(b"onnx")
    (tmp_path / "experiment" / "data").mkdir(parents=True)
    for _ in range(2):
        assert gathered(monkeypatch, tmp_path) == 0
        kept = tmp_path / "experiment" / ".mlops"
        assert (kept / "run" / "model" / "model.onnx").read_bytes() == b"onnx"
        record = json.loads((kept / "experiment.json").read_text())
        assert record["run"]["code_commit"] == "abc"
        assert record["packages"]["numpy"]
        assert json.loads((tmp_path / "result.json").read_text())["files"] == 2


def test_a_run_that_left_nothing_and_a_volume_that_is_not_there(monkeypatch, tmp_path: Path, capsys):
    (tmp_path / "workspace").mkdir()
    assert gathered(monkeypatch, tmp_path) == 2
    assert "the run's programs have left nothing to keep" in capsys.readouterr().err
    (tmp_path / "workspace" / ".mlops" / "run").mkdir(parents=True)
    assert gathered(monkeypatch, tmp_path) == 2
    assert "experiment is no folder." in capsys.readouterr().err
