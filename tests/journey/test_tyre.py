"""The tyre system as its users run it: real scheduler, real services, days of data, backfill, and a run done again."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from typing import Any

import httpx
import pytest

from scripts import rerun
from scripts.embedded import environment
from scripts.follow import RunFailed, follow
from scripts.systems.tyre import SYSTEM
from tests.journey.world import INGEST, MODELS, QUICK, TODAY, TRAIN, World, noon, wait_for

pytestmark = [pytest.mark.journey, pytest.mark.timeout(900)]

DAYS_AGO = [3, 2]  # noon of these days is when the versions are made, by ONTAP's clock
IDENTICAL = ("volumes", "buckets", "versions", "model snapshots", "model versions", "model folders")


def test_from_images_to_a_deployed_model_and_back_in_time(world: World):
    world.ready(SYSTEM)
    world.step("Each day of data becomes a version; unchanged data makes none")
    versions, ingest_run = days_of_data(world)

    world.step("The newest version has started a training that deploys the first model")
    first = world.api.xcom(TRAIN, world.run_of(SYSTEM, ingest_run), "summary")
    assert first["dataset_version"]["id"] == versions[-1]["id"]
    assert first["decision"]["decision"] == "promote"
    assert world.served()["versions"] == [str(first["deployment"]["model_version"]["version"])]
    assert world.workspaces() == set(), "the workspace is removed"
    assert leases(world) == [], "nobody holds the model"
    check_lineage(world, first)
    check_mlflow(world, first)

    world.step("A backfill trains each date on the data of that date and leaves the deployed model alone")
    past = backfill(world, versions)

    world.step("A past run is done again with equal metrics")
    key = world.api.xcom(TRAIN, past, "summary")["run_key"]
    assert rerun.dag_of(world.stack.urls["mlflow"], key) == TRAIN
    again = world.run(TRAIN, {"repeat_run": key})
    compared = world.api.xcom(TRAIN, again, "compare_with_record")
    assert compared["repeat_of"] == key and "accuracy" in compared["equal"]
    assert world.api.xcom(TRAIN, again, "choose")["dataset_version"]["id"] == versions[0]["id"]
    assert world.states(TRAIN, again)["promote.publish"] == "skipped"

    world.step("What cannot succeed fails at once, with a sentence")
    unknown_version(world)
    remove(world, versions[0])
    with pytest.raises(RunFailed, match=f"Run {key} .*needs dataset version {versions[0]['id']}.*removed"):
        world.run(TRAIN, {"repeat_run": key})


def days_of_data(world: World) -> tuple[list[dict[str, Any]], str]:
    """The versions, and the ingest run that made the last one, which a training has heard of."""
    versions, run_id, known = [], "", len(world.snapshots("tyre_images"))
    for revision, days_ago in enumerate(DAYS_AGO, start=1):
        world.set_clock(noon(days_ago))
        world.fill_lake(revision)
        if days_ago == DAYS_AGO[-1]:
            world.api.unpause(TRAIN)
        run_id = world.run(INGEST)
        versions.append(world.api.xcom(INGEST, run_id, "freeze"))
    assert [v["created_at"][:13] for v in versions] == [f"{noon(d):%Y-%m-%dT%H}" for d in DAYS_AGO]
    assert len({v["digest"] for v in versions}) == len(DAYS_AGO)
    assert {v["snapshot"] for v in versions} <= set(world.snapshots("tyre_images"))
    assert world.states(INGEST, world.run(INGEST))["freeze"] == "skipped"
    assert len(world.snapshots("tyre_images")) == known + len(DAYS_AGO)
    return versions, run_id


def leases(world: World) -> list[str]:
    return [name for name in world.snapshots(MODELS) if name.startswith("mlops_lease")]


def check_lineage(world: World, summary: dict[str, Any]) -> None:
    """Deployed model -> model version -> training run -> dataset version -> source, code, parameters, metrics."""
    model = summary["deployment"]["model_version"]
    assert model["dataset_version"]["snapshot"] in world.snapshots("tyre_images")
    assert model["dataset_version"]["source"].startswith("s3://lake/tyre")
    assert model["snapshot"] in world.snapshots(MODELS)
    assert (world.files(MODELS) / model["folder"]).is_dir()
    assert model["code_commit"] != "unknown"
    assert model["parameters"]["seed"] == 1
    assert 0 < model["metrics"]["accuracy"] <= 1
    tags = next(tags for tags in world.training_runs() if tags["run_key"] == model["run_key"])
    assert tags["snapshot_uuid"] == model["dataset_version"]["snapshot_uuid"]
    url = f"{world.stack.urls['mlflow']}/api/2.0/mlflow/registered-models/alias"
    answer = httpx.get(url, params={"name": "tyre", "alias": "champion"}, trust_env=False).json()
    assert model["dataset_version"]["snapshot_uuid"] in answer["model_version"]["description"]


def check_mlflow(world: World, summary: dict[str, Any]) -> None:
    """MLflow's own client loads the champion by its alias, and knows which snapshot its training has read."""
    load = (
        "import mlflow, numpy; model = mlflow.pyfunc.load_model('models:/tyre@champion');"
        "print(model.predict(numpy.zeros((2, 3, 224, 224), 'float32'))['logits'].shape)"
    )
    env = environment.clean() | {"MLFLOW_TRACKING_URI": world.stack.urls["mlflow"]}
    done = subprocess.run([sys.executable, "-c", load], env=env, capture_output=True, text=True)
    assert done.stdout.strip().endswith("(2, 2)"), done.stderr[-2000:]
    url = f"{world.stack.urls['mlflow']}/api/2.0/mlflow/runs/get"
    run = httpx.get(url, params={"run_id": summary["mlflow_run_id"]}, trust_env=False, timeout=30).json()["run"]
    read = {given["dataset"]["name"]: given["dataset"] for given in run["inputs"]["dataset_inputs"]}
    assert summary["dataset_version"]["snapshot"] in read["tyre_images"]["source"]


def backfill(world: World, versions: list[dict[str, Any]]) -> str:
    """Three dates: before the first version, and one for each of two versions. Returns the run of the older one."""
    world.set_clock(None)
    before = world.inventory()
    first, last = (f"{TODAY - timedelta(days=days):%Y-%m-%d}" for days in (3, 1))
    dates = [f"{TODAY - timedelta(days=days):%Y-%m-%d}" for days in (3, 2, 1)]
    world.airflow(
        *("backfill", "create", "--dag-id", TRAIN, "--from-date", first, "--to-date", last),
        *("--max-active-runs", "2", "--dag-run-conf", '{"epochs": 1, "limit": 100, "read_through": "mount"}'),
    )
    runs = wait_for(lambda: all_of(world, dates), lambda: f"there are runs of {sorted(backfilled(world))} only")
    for run_id in runs.values():
        follow(world.api, TRAIN, run_id)
    states = world.states(TRAIN, runs[dates[0]])
    assert states["choose"] == states["train"] == "skipped", "no version existed at that date"
    trained = [world.api.xcom(TRAIN, runs[date], "summary")["dataset_version"]["id"] for date in dates[1:]]
    assert trained == [version["id"] for version in versions]
    after = world.inventory()
    assert len(after["training runs"]) == len(before["training runs"]) + 2
    assert {k: after[k] for k in IDENTICAL} == {k: before[k] for k in IDENTICAL}, "the deployed model is left alone"
    return runs[dates[1]]


def backfilled(world: World) -> dict[str, str]:
    """Run by logical date."""
    runs = [run for run in world.api.runs(TRAIN) if run["run_type"] == "backfill"]
    return {run["logical_date"][:10]: run["dag_run_id"] for run in runs}


def all_of(world: World, dates: list[str]) -> dict[str, str] | None:
    found = backfilled(world)
    return found if found.keys() >= set(dates) else None


def unknown_version(world: World) -> None:
    """Answered with the known ones, and no retry."""
    run_id = world.start(TRAIN, {"dataset_version": "v1", **QUICK})
    with pytest.raises(RunFailed, match="has no version 'v1' .* newest are: v"):
        follow(world.api, TRAIN, run_id)
    assert world.tasks(TRAIN, run_id)["choose"]["try_number"] == 1


def remove(world: World, version: dict[str, Any]) -> None:
    path = f"/api/storage/volumes/{version['volume_uuid']}/snapshots/{version['snapshot_uuid']}"
    world.ontap.delete(path, params={"return_timeout": 30}).raise_for_status()
