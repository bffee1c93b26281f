"""The main job as its users run it: real scheduler, real services, three days of data, backfill, and a run done again.

Read from top to bottom; each test goes on from where the one before it stopped.
"""

from __future__ import annotations

import time
from datetime import timedelta

import httpx
import pytest

from scripts.follow import RunFailed, follow
from tests.journey.world import INGEST, QUICK, TODAY, TRAIN, noon

pytestmark = [pytest.mark.journey, pytest.mark.timeout(1500)]

DAYS_AGO = [4, 3, 2]  # noon of these days is when the three versions were made, by ONTAP's clock
facts: dict = {}


@pytest.fixture(scope="module", autouse=True)
def own_time(world):
    yield
    world.set_clock(None)


def test_three_days_of_data_become_three_versions(world):
    world.pause(TRAIN)
    for revision, days_ago in enumerate(DAYS_AGO, start=1):
        world.set_clock(noon(days_ago))
        world.fill_lake(revision)
        if days_ago == DAYS_AGO[-1]:
            world.api.unpause(TRAIN)
        facts["ingest"] = world.run(INGEST)
        facts.setdefault("versions", []).append(world.api.xcom(INGEST, facts["ingest"], "freeze"))
    versions = facts["versions"]
    assert [v["created_at"][:13] for v in versions] == [f"{noon(d):%Y-%m-%dT%H}" for d in DAYS_AGO]
    assert len({v["digest"] for v in versions}) == 3
    assert world.snapshots("tyre_images") == sorted(v["snapshot"] for v in versions)


def test_a_new_version_starts_a_training_that_deploys_the_first_model(world):
    run_id = wait_for_run(world, lambda: world.api.run_started_by(TRAIN, facts["ingest"]))
    follow(world.api, TRAIN, run_id)
    summary = world.api.xcom(TRAIN, run_id, "summary")
    facts["first"] = summary
    assert summary["dataset_version"]["id"] == facts["versions"][2]["id"]
    assert summary["decision"]["decision"] == "promote"
    assert summary["deployment"]["model_version"]["version"] == 1
    assert world.served()["versions"] == ["1"]
    assert world.workspaces() == set(), "the workspace is removed"


def test_the_deployed_model_leads_back_to_the_snapshot(world):
    """Deployed model -> model version -> training run -> dataset version -> source, code, parameters, metrics."""
    model = facts["first"]["deployment"]["model_version"]
    assert model["dataset_version"]["snapshot"] in world.snapshots("tyre_images")
    assert model["snapshot"] in world.snapshots("models")
    assert model["code_commit"] != "unknown"
    assert model["parameters"]["seed"] == 1
    assert 0 < model["metrics"]["accuracy"] <= 1
    tags = next(tags for tags in world.training_runs() if tags["run_key"] == model["run_key"])
    assert tags["snapshot_uuid"] == model["dataset_version"]["snapshot_uuid"]
    url = f"{world.stack.urls['mlflow']}/api/2.0/mlflow/registered-models/alias"
    answer = httpx.get(url, params={"name": "tyre", "alias": "champion"}, trust_env=False).json()
    assert model["dataset_version"]["snapshot_uuid"] in answer["model_version"]["description"]


def test_unchanged_data_makes_no_version(world):
    run_id = world.run(INGEST)
    assert world.states(INGEST, run_id)["freeze"] == "skipped"
    assert len(world.snapshots("tyre_images")) == 3


def test_a_backfill_trains_each_date_on_the_data_of_that_date(world):
    world.set_clock(None)
    before = world.inventory()
    first, last = TODAY - timedelta(days=4), TODAY - timedelta(days=1)
    world.airflow(
        *("backfill", "create", "--dag-id", TRAIN, "--from-date", f"{first:%Y-%m-%d}", "--to-date", f"{last:%Y-%m-%d}"),
        *("--max-active-runs", "2", "--dag-run-conf", '{"epochs": 1, "limit": 100, "read_through": "mount"}'),
    )
    runs = wait_for_run(world, lambda: backfilled(world) if len(backfilled(world)) == 4 else None)
    for run in runs:
        follow(world.api, TRAIN, run["dag_run_id"])
    states = {run["logical_date"][:10]: world.states(TRAIN, run["dag_run_id"]) for run in runs}
    trained = {
        run["logical_date"][:10]: (world.api.xcom(TRAIN, run["dag_run_id"], "summary") or {}).get("dataset_version", {})
        for run in runs
    }
    dates = [f"{TODAY - timedelta(days=d):%Y-%m-%d}" for d in (4, 3, 2, 1)]
    assert states[dates[0]]["choose"] == states[dates[0]]["train"] == "skipped", "no version existed at that date"
    assert [trained[d].get("id") for d in dates[1:]] == [v["id"] for v in facts["versions"]]
    facts["backfilled"] = {d: run["dag_run_id"] for d, run in zip(sorted(trained), by_date(runs), strict=True)}
    after = world.inventory()
    assert len(after["training runs"]) == len(before["training runs"]) + 3
    unchanged = ("volumes", "buckets", "versions", "model snapshots", "model versions", "model folders")
    assert {k: after[k] for k in unchanged} == {k: before[k] for k in unchanged}, "the deployed model is left alone"


def test_a_past_run_is_done_again_with_equal_metrics(world):
    past = list(facts["backfilled"].values())[1]
    key = world.api.xcom(TRAIN, past, "summary")["run_key"]
    run_id = world.run(TRAIN, {"repeat_run": key})
    compared = world.api.xcom(TRAIN, run_id, "compare_with_record")
    assert compared["repeat_of"] == key
    assert "accuracy" in compared["equal"]
    assert world.api.xcom(TRAIN, run_id, "choose")["dataset_version"]["id"] == facts["versions"][0]["id"]
    assert world.states(TRAIN, run_id)["promote.publish"] == "skipped"


def test_a_removed_snapshot_says_which_record_needed_it(world):
    version = facts["versions"][0]
    path = f"/api/storage/volumes/{version['volume_uuid']}/snapshots/{version['snapshot_uuid']}"
    world.ontap.delete(path, params={"return_timeout": 30}).raise_for_status()
    key = world.api.xcom(TRAIN, list(facts["backfilled"].values())[1], "summary")["run_key"]
    with pytest.raises(RunFailed, match=f"Run {key} .*needs dataset version {version['id']}.*removed"):
        world.run(TRAIN, {"repeat_run": key})


def test_a_wrong_version_is_answered_with_the_known_ones_and_no_retry(world):
    run_id = world.start(TRAIN, {"dataset_version": "v1", **QUICK})
    with pytest.raises(RunFailed, match="has no version 'v1' .* newest are: v"):
        follow(world.api, TRAIN, run_id)
    choose = next(task for task in world.api.tasks(TRAIN, run_id) if task["task_id"] == "choose")
    assert choose["try_number"] == 1


def backfilled(world) -> list[dict]:
    return [run for run in world.api.runs(TRAIN) if run["run_type"] == "backfill"]


def by_date(runs: list[dict]) -> list[dict]:
    return sorted(runs, key=lambda run: run["logical_date"])


def wait_for_run(world, look, timeout_s: float = 120):
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(1)
    raise AssertionError(f"no run within {timeout_s:.0f} s")
