"""The programs of one run, told by RUN_FILE alone, one after another as the DAG calls them."""

from __future__ import annotations

import json

import pytest

from tasks.ctr import compare, convert, evaluate, score, train
from tasks.data import keep_newest
from tasks.models import publish
from tests.tasks.run_files import write_run_file

PARAMETERS = {"engines": ["pandas", "dask"], "days": "day_0", "rows": None, "trees": 2, "depth": 4, "seed": 3}


@pytest.fixture
def told(run, clicks, tmp_path, monkeypatch):
    """Calls a program with RUN_FILE and the flags given; the volumes are folders beside each other."""
    folders = {name: str(tmp_path / name) for name in ("workspace", "results", "models")}
    (tmp_path / "workspace").mkdir()
    (tmp_path / "workspace" / "data").symlink_to(clicks)  # as in a clone, where publishing looks for a scan
    monkeypatch.setenv("RUN_FILE", str(tmp_path / "run.json"))

    def call(main, step, *flags, champion=None):
        write_run_file(
            tmp_path / "run.json", PARAMETERS, step=step, data=str(clicks), folders=folders, champion=champion
        )
        code, result = run(main, *flags)
        assert code == 0, f"{step} failed"
        return result

    return call


def test_a_run_needs_no_flags_but_the_engine(told, tmp_path):
    told(convert.main, "convert")
    assert (tmp_path / "results/parquet/v1/day_1/part-00000.parquet").is_file(), "all days are converted"
    for engine in PARAMETERS["engines"]:
        report = told(train.main, "train", f"--engine={engine}", "--scheduler=in-process")
        assert report["output"] == str(tmp_path / "workspace/.mlops/run" / engine)
        assert (report["forest"]["trees"], report["data"]["first_day"], report["data"]["last_day"]) == (
            2,
            "day_0",
            "day_0",
        )
    best = told(compare.main, "compare")["best"]
    assert json.loads((tmp_path / "workspace/.mlops/run/best.json").read_text()) == {"folder": best["engine"]}
    judged = told(evaluate.main, "evaluate")
    assert list(judged["metrics"]) == ["challenger"]
    published = told(publish.main, "publish")
    assert published["folder"] == "r1"
    assert (tmp_path / "models/r1/model.onnx").is_file()
    scored = told(score.main, "score", champion={"folder": str(tmp_path / "models/r1"), "version": 1, "run_key": "r1"})
    assert scored["output"] == str(tmp_path / "results/scores/r1")
    told(keep_newest.main, "folders", "--newest=1")
    assert (tmp_path / "results/scores/r1").is_dir() and (tmp_path / "results/parquet/v1").is_dir()


def test_old_results_go_whichever_folder_they_are_in(told, tmp_path):
    for name in ("parquet/v0", "parquet/v1", "scores/r0", "scores/r1"):
        (tmp_path / "results" / name).mkdir(parents=True)
    (tmp_path / "results/scores/r2").mkdir()
    told(keep_newest.main, "folders", "--newest=1")
    left = sorted(str(p.relative_to(tmp_path / "results")) for p in (tmp_path / "results").glob("*/*"))
    assert left == ["parquet/v1", "scores/r1", "scores/r2"], "of the run, of its version, and the newest"
