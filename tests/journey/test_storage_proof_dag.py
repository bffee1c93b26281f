"""A volume, this machine's disk and a bucket are measured; a path that is not there fails alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from scripts import lake
from scripts.follow import RunFailed
from scripts.systems.storage import SYSTEM
from tasks.storage.fio import MISSING
from tasks.storage.measure import MARK
from tests.journey.world import World

DAG = SYSTEM.train_dag
QUICK = {"size_mib": 16, "seconds": 0.3, "files": 20, "pictures": 8, "frame_mb": 1}
TESTS = ["sequential", "frames", "small_files", "loader"]

pytestmark = [
    pytest.mark.journey,
    pytest.mark.timeout(600),
    pytest.mark.skipif(shutil.which("fio") is None, reason=MISSING),
]


def test_each_path_is_measured_and_one_that_is_not_there_stops_no_other(world: World, tmp_path: Path):
    world.wait_for_dags(DAG)
    lake.bucket(world.stack)
    bucket = f"s3://{lake.BUCKET}/proof"
    paths = ["volume:storage_proof", str(tmp_path), bucket]

    world.step("Three paths are measured in turn, and shown side by side")
    first = world.api.xcom(DAG, world.run(DAG, {"paths": paths, "tests": TESTS, **QUICK}), "report")
    figures = {each["path"]: each["figures"] for each in first["paths"]}
    assert list(figures) == paths
    assert {"seq_read", "frames_read", "small_write", "loader"} <= set(figures[paths[0]])
    assert {"large_read", "small_write", "loader"} <= set(figures[bucket])
    assert first["mlflow_url"] and first["feeds"]
    results = world.files("storage_proof")
    left = [each for place in (results, tmp_path) for each in place.iterdir() if each.name.startswith(MARK)]
    assert left == []
    objects = lake.bucket(world.stack).objects
    assert [each.key for each in objects.filter(Prefix="proof/")] == []

    world.step(
        "A month later one of them is gone: its task says so, the report shows the other beside its figures before"
    )
    with pytest.raises(RunFailed, match="/nowhere is no folder where this program runs"):
        world.run(DAG, {"paths": ["/nowhere", paths[0]], "tests": ["small_files"], **QUICK})
    run_id = max(world.api.runs(DAG), key=lambda run: run["run_after"])["dag_run_id"]
    second = world.api.xcom(DAG, run_id, "report")
    assert [each["path"] for each in second["paths"]] == [paths[0]]
    (report,) = [file for file in (results / "reports").glob("*/report.md") if "Over time" in file.read_text()]
    assert "write 20 files of 16 KiB" in report.read_text()
