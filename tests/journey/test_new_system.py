"""A system that `make new-system` has just written goes from its sample to a proven endpoint, with nothing changed."""

from __future__ import annotations

import subprocess
import sys

import httpx
import pytest

from scripts import lake
from scripts.systems.system import System
from tests.journey.world import NEW_SYSTEM, World

pytestmark = [pytest.mark.journey, pytest.mark.timeout(600)]


class Written(System):
    name = NEW_SYSTEM
    dataset = f"{NEW_SYSTEM}_data"
    train_dag = NEW_SYSTEM


def test_a_new_system_runs_at_once(world: World):
    system = Written()
    world.ready(system)
    world.step("Its sample makes a version, and the version starts a run that deploys the first model")
    ingest_run = make_version(world, system, day=1)
    summary = world.api.xcom(system.train_dag, world.run_of(system, ingest_run), "summary")
    assert summary["decision"]["decision"] == "promote"
    assert summary["metrics"]["challenger"]["roc_auc"] > 0.7
    deployed = summary["deployment"]
    assert (deployed["model_version"]["model"], deployed["model_version"]["version"]) == (NEW_SYSTEM, 1)
    assert deployed["proof"]["predicted"] in ("sound", "failed")
    served = httpx.get(f"{world.stack.urls['triton']}/v2/models/{NEW_SYSTEM}", trust_env=False, timeout=30).json()
    assert served["versions"] == ["1"]

    world.step("More data makes a second version; its model is judged against the first on the same rows")
    second = world.api.xcom(system.train_dag, world.run_of(system, make_version(world, system, day=2)), "summary")
    assert set(second["metrics"]) == {"challenger", "champion"}
    assert second["dataset_version"]["files"] == 2
    assert world.workspaces() == set()


def make_version(world: World, system: System, day: int) -> str:
    """More of the sample into the lake, and the run that made a version of it."""
    lake.bucket(world.stack)
    world.api.unpause(system.train_dag)
    subprocess.run(
        [sys.executable, "-m", f"tasks.{NEW_SYSTEM}.samples", f"--output=s3://lake/{NEW_SYSTEM}", f"--revision={day}"],
        cwd=world.house,
        env=lake.variables(world.stack),
        check=True,
    )
    return world.run(system.ingest_dag)
