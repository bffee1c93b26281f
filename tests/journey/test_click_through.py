"""Click logs become versions; a run compares engines on one, deploys the best model and scores every row."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pyarrow.parquet
import pytest

from scripts import demo, rerun
from scripts.follow import RunFailed, follow
from scripts.systems.ctr import SYSTEM
from tests.journey.world import TODAY, World, noon, wait_for

pytestmark = [pytest.mark.journey, pytest.mark.timeout(900)]

INGEST, TRAIN = SYSTEM.ingest_dag, SYSTEM.train_dag
RESULTS, MODELS = "ctr_results", "click_through_models"
ROWS = 20_000  # of each day
SMALL = {"trees": 2, "depth": 4}


def test_from_clicks_to_scores_of_every_row(world: World):
    world.ready(SYSTEM)
    world.step("Each day of clicks makes a version")
    versions, ingest_run = days_of_clicks(world)

    world.step("The newest version has started a run that compares engines, deploys the best and scores every row")
    summary = world.api.xcom(TRAIN, world.run_of(SYSTEM, ingest_run), "summary")
    assert summary["dataset_version"]["id"] == versions[1]["id"]
    check_engines(summary)
    check_deployment(world, summary)
    check_scores(world, summary["run_key"])
    check_nothing_left(world)
    assert rerun.dag_of(world.stack.urls["mlflow"], summary["run_key"]) == TRAIN

    world.step("A run that cannot succeed fails with the program's sentence, and a week later nothing is left of it")
    world.pause(TRAIN)
    with pytest.raises(RunFailed, match="There is no day_99 under .*; there are day_0, day_1"):
        world.run(TRAIN, {"days": "day_99", "engines": ["pandas"], "promote": "never"})
    assert qos_policy(world) is None, "the policy of before the run is back"
    workspaces_of_failed_runs_go(world)

    world.step("A backfill trains a date on its days and ends well though its tasks are killed")
    killed_backfill(world, versions[0])


def days_of_clicks(world: World) -> tuple[list[dict[str, Any]], str]:
    """Two versions, of two days and of three, made at noon of different days, and the run that made the second."""
    versions, run_id = [], ""
    for day in (1, 2):
        world.set_clock(noon(4 - day))
        if day == 2:
            world.api.unpause(TRAIN)
        SYSTEM.fill_lake(world.stack, day, demo.options(["ctr", f"--rows={ROWS}"]))
        run_id = world.run(INGEST)
        versions.append(world.api.xcom(INGEST, run_id, "freeze"))
    assert [version["files"] for version in versions] == [4, 6], "each day and what is true of it"
    return versions, run_id


def check_engines(summary: dict[str, Any]) -> None:
    compared = {row["engine"]: row for row in summary["engines"]}
    assert compared.keys() == {"pandas", "dask"}
    assert compared["pandas"]["rows"] == compared["dask"]["rows"] > 2 * ROWS
    assert all(row["seconds"] > 0 and row["rows_per_s"] > 0 and row["peak_gib"] > 0 for row in compared.values())
    assert abs(compared["pandas"]["accuracy"] - compared["dask"]["accuracy"]) < 0.02
    assert summary["decision"]["decision"] == "promote"
    assert summary["scores"]["rows"] == 3 * ROWS


def check_deployment(world: World, summary: dict[str, Any]) -> None:
    deployed = summary["deployment"]["model_version"]
    assert (deployed["model"], deployed["version"]) == ("click_through", 1)
    assert deployed["snapshot"] in world.snapshots(MODELS)
    assert (world.files(MODELS) / deployed["folder"] / "model.onnx").is_file()
    assert deployed["dataset_version"]["snapshot"] in world.snapshots("ctr_days")


def check_scores(world: World, key: str) -> None:
    results = world.files(RESULTS)
    scores = [pyarrow.parquet.read_table(file) for file in sorted((results / "scores" / key).glob("*.parquet"))]
    assert [table.num_rows for table in scores] == [ROWS] * 3
    assert f"mlops_{key}" in world.snapshots(RESULTS)
    assert len(list((results / ".snapshot" / f"mlops_{key}" / "scores" / key).glob("*.parquet"))) == 3


def check_nothing_left(world: World) -> None:
    assert world.workspaces() == set()
    assert qos_policy(world) is None


def qos_policy(world: World) -> str | None:
    """Of the volume that the engines read."""
    found = world.records("/storage/volumes", name=RESULTS, fields="name,qos.policy.name")[0]
    return found.get("qos", {}).get("policy", {}).get("name")


def workspaces_of_failed_runs_go(world: World) -> None:
    """The failed run has kept its workspace for whoever clears it; an ingest more than a week later removes it."""
    assert len(world.workspaces()) == 1
    world.set_clock(noon(-8))
    collected = world.api.xcom(INGEST, world.run(INGEST), "collect_workspaces")
    assert (len(collected["removed"]), collected["kept"]) == (1, {})
    assert world.workspaces() == set()


def killed_backfill(world: World, version: dict[str, Any]) -> None:
    """A sample of the steps that the kit does not bring; ends as if nobody had been killed."""
    world.set_clock(None)
    runs_before = {tags["workload"] for tags in world.tracked_runs() if "workload" in tags}
    snapshots_before = set(world.snapshots(RESULTS))
    steps = dict.fromkeys(("raise_qos", "convert", "score", "freeze", "lower_qos"), "end")
    world.kill({TRAIN: {**steps, "train": "middle", "compare": "middle"}})
    run_id = backfill(world, f"{TODAY - timedelta(days=2):%Y-%m-%d}")
    follow(world.api, TRAIN, run_id)
    world.kill({})

    tasks = world.tasks(TRAIN, run_id)
    assert {name: tasks[name]["try_number"] for name in steps} == dict.fromkeys(steps, 2), "each was killed once"
    assert "deploy.confirm" not in tasks, "a backfill deploys nothing"
    summary = world.api.xcom(TRAIN, run_id, "summary")
    assert summary["dataset_version"]["id"] == version["id"]
    assert summary["decision"]["decision"] == "keep"
    assert summary["scores"]["rows"] == 2 * ROWS, "by the deployed model"
    key = summary["run_key"]
    made = [tags["workload"] for tags in world.tracked_runs() if tags.get("workload") not in runs_before]
    assert sorted(made) == [f"{key}-compare", f"{key}-pandas", f"{key}-score"], "no run is made twice"
    assert set(world.snapshots(RESULTS)) - snapshots_before == {f"mlops_{key}"}
    check_nothing_left(world)


def backfill(world: World, date: str) -> str:
    known = {run["dag_run_id"] for run in world.api.runs(TRAIN)}
    world.api.unpause(TRAIN)
    asked = {"dag_id": TRAIN, "from_date": f"{date}T00:00:00Z", "to_date": f"{date}T00:00:00Z"}
    world.api.call("POST", "backfills", json={**asked, "dag_run_conf": {"engines": ["pandas"], **SMALL}})
    started = wait_for(
        lambda: [run["dag_run_id"] for run in world.api.runs(TRAIN) if run["dag_run_id"] not in known],
        lambda: "the backfill has started no run",
    )
    return started[0]
