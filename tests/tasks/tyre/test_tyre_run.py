"""The programs of one run, told by RUN_FILE alone, one after another as the DAG calls them."""

from __future__ import annotations

import json

import pytest

from tasks.common import program
from tasks.models import publish
from tasks.tyre import evaluate, train
from tests.tasks.run_files import write_run_file


@pytest.fixture
def told(tyres, tmp_path, monkeypatch):
    """Calls a program with RUN_FILE and no flag at all."""
    folders = {name: str(tmp_path / name) for name in ("workspace", "models")}
    (tmp_path / "workspace").mkdir()
    monkeypatch.setenv("RUN_FILE", str(tmp_path / "run.json"))
    monkeypatch.setenv("RESULT_FILE", str(tmp_path / "result.json"))
    monkeypatch.setattr("sys.argv", ["program"])

    def call(main, step, champion=None):
        parameters = {"configuration": "recommended", "epochs": 1, "limit": None, "seed": 5}
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
