"""Documents become an index that answers: killed on the way, of a changed version, as of a date, for who may read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scripts import demo
from scripts.systems.documents import CHANGED, RESTRICTED, SYSTEM, Service
from tests.journey.world import World

pytestmark = [pytest.mark.journey, pytest.mark.timeout(900)]

DAG = SYSTEM.train_dag


@pytest.fixture
def service(world: World) -> Iterator[Service]:
    world.stack.up([], optional=["documents"])
    yield Service(world.stack)
    world.pause(DAG)


def test_documents_answer_as_they_are_and_as_they_were(world: World, service: Service):
    world.ready(SYSTEM)
    options = demo.options(["documents"])
    world.step("Documents make a version, and an index of it; its build is killed, and goes on")
    SYSTEM.fill_lake(world.stack, 1, options)
    world.run(SYSTEM.ingest_dag)
    world.kill({DAG: {"scan": "middle", "build": "middle", "serve": "end"}})
    first = world.api.xcom(DAG, world.run(DAG, {"ask_by": "service"}), "summary")
    world.kill({})
    assert first["served"]["serves"] == first["dataset_version"]["id"]
    assert first["scan"]["outcomes"]["kept_out"] == 3 and first["scan"]["outcomes"]["unreadable"] == 8
    assert first["proof"]["files"], "the service has answered with its source"
    assert "EUR 60" in service.ask(CHANGED)["says"]

    world.step("Some policies change: only they are embedded, and both versions answer")
    SYSTEM.fill_lake(world.stack, 2, options)
    world.api.unpause(DAG)
    second = world.api.xcom(DAG, world.run_of(SYSTEM, world.run(SYSTEM.ingest_dag)), "summary")
    assert second["build"]["embedded"] == 4 and second["build"]["taken_over"] > 50
    assert second["metrics"].keys() == {"challenger", "champion"}
    assert "EUR 75" in service.ask(CHANGED)["says"]
    assert "EUR 60" in service.ask(CHANGED, as_of=first["dataset_version"]["created_at"])["says"]

    world.step("A person finds only what they may read")
    assert "Aldertech" not in service.ask(RESTRICTED)["says"]
    assert "4.2 million" in service.ask(RESTRICTED, "documents_board")["says"]
