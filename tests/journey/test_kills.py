"""Kill what you like, at any step: the retry goes on, nothing is made twice, nothing stays behind."""

from __future__ import annotations

import os
import signal
import time

import pytest

from scripts.follow import follow
from tests.journey.world import INGEST, QUICK, TRAIN

pytestmark = [pytest.mark.journey, pytest.mark.timeout(1500)]

INGEST_STEPS = ("ensure_volume", "sync", "check", "freeze", "retention")
TRAIN_STEPS = (
    "choose",
    "create_workspace",
    "train",
    "evaluate",
    "record",
    "decide",
    "promote.publish",
    "promote.register",
    "deploy.write",
    "deploy.load",
    "deploy.prove",
    "deploy.activate",
    "deploy.confirm",
    "summary",
    "delete_workspace",
)


@pytest.fixture(autouse=True)
def no_kills_afterwards(world):
    yield
    world.kill({})


def grown(before: dict, after: dict) -> dict:
    """How many there are more of each thing."""
    return {what: len(after[what]) - len(before[what]) for what in before}


UNDISTURBED_INGEST = {"versions": 1}
UNDISTURBED_TRAINING = {"training runs": 1, "model snapshots": 1, "model versions": 1, "model folders": 1}


def check_growth(world, before: dict, expected: dict) -> None:
    after = world.inventory()
    assert grown(before, after) == {what: expected.get(what, 0) for what in before}
    assert len(set(after["training runs"])) == len(after["training runs"]), "one MLflow run for each training"


@pytest.mark.parametrize("moment", ["end", "middle"])
def test_ingest_ends_as_if_nobody_had_been_killed(world, moment):
    world.pause(TRAIN)
    world.fill_lake(revision=10 + ["end", "middle"].index(moment))
    before = world.inventory()
    world.kill({INGEST: dict.fromkeys(INGEST_STEPS, moment)})
    run_id = world.run(INGEST)
    tries = {task["task_id"]: task["try_number"] for task in world.api.tasks(INGEST, run_id)}
    if moment == "end":
        assert tries == dict.fromkeys(INGEST_STEPS, 2), "each step was killed once"
    check_growth(world, before, UNDISTURBED_INGEST)


@pytest.mark.parametrize("moment", ["end", "middle"])
def test_training_and_deployment_end_as_if_nobody_had_been_killed(world, moment):
    before = world.inventory()
    world.kill({TRAIN: dict.fromkeys(TRAIN_STEPS, moment)})
    run_id = world.run(TRAIN, {"promote": "always", **QUICK})
    tasks = {task["task_id"]: task for task in world.api.tasks(TRAIN, run_id)}
    if moment == "end":
        assert {t: tasks[t]["try_number"] for t in TRAIN_STEPS} == dict.fromkeys(TRAIN_STEPS, 2)
    check_growth(world, before, UNDISTURBED_TRAINING)
    deployed = world.api.xcom(TRAIN, run_id, "deploy.confirm")["model_version"]["version"]
    assert world.served()["versions"] == [str(deployed)]
    assert world.workspaces() == set()


def test_the_scheduler_dies_and_the_run_goes_on(world):
    before = world.inventory()
    run_id = world.start(TRAIN, {"promote": "never", **QUICK})
    wait_until_running(world, run_id, "train")
    for pid in scheduler_processes(world):
        os.kill(pid, signal.SIGKILL)
    follow(world.api, TRAIN, run_id)
    check_growth(world, before, {"training runs": 1})
    assert world.workspaces() == set()


def scheduler_processes(world) -> list[int]:
    """The scheduler and the workers it has started."""
    parent = world.stack.supervisor.processes()["airflow-scheduler"]["pid"]
    return [parent, *(child for child in children(parent))]


def children(pid: int) -> list[int]:
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children") as file:
            for child in map(int, file.read().split()):
                found += [child, *children(child)]
    return found


def wait_until_running(world, run_id: str, task_id: str) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if world.states(TRAIN, run_id).get(task_id) == "running":
            return
        time.sleep(0.2)
    raise AssertionError(f"{task_id} did not start within 120 s")
