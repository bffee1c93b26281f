"""New System as its users run it: a real scheduler, from the sample to a deployed and proven model."""

from __future__ import annotations

import argparse

import pytest

from scripts.systems.newsystem import SYSTEM
from tests.journey.world import World

pytestmark = [pytest.mark.journey, pytest.mark.timeout(600)]


def test_from_measurements_to_a_deployed_model(world: World):
    world.ready(SYSTEM)
    world.step("The sample makes a version, and the version starts a run that deploys the first model")
    world.api.unpause(SYSTEM.train_dag)  # before the version is made: a paused DAG does not hear of it
    SYSTEM.fill_lake(world.stack, 1, argparse.Namespace())
    ingest_run = world.run(SYSTEM.ingest_dag)
    summary = world.api.xcom(SYSTEM.train_dag, world.run_of(SYSTEM, ingest_run), "summary")
    assert summary["decision"]["decision"] == "promote"
    assert summary["deployment"]["proof"]["predicted"] in ("sound", "failed")
    assert world.workspaces() == set()
