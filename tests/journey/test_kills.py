"""Kill what you like, at any step: the retry goes on, nothing is made twice, nothing stays behind.

The steps of the kit are killed here, in the tyre system; a sample of another system's own steps in its journey.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from scripts.follow import RunFailed, follow
from scripts.systems.tyre import SYSTEM
from tests.journey.world import INGEST, QUICK, TRAIN, World, wait_for

pytestmark = [pytest.mark.journey, pytest.mark.timeout(900)]

DEPLOY = {"promote": "always", **QUICK}
DEPLOYED = {"training runs": 1, "model snapshots": 1, "model versions": 1, "model folders": 1}


def grown(before: dict[str, Any], after: dict[str, Any]) -> dict[str, int]:
    """How many there are more of each thing."""
    return {what: len(after[what]) - len(before[what]) for what in before}


def check_growth(world: World, before: dict[str, Any], expected: dict[str, int]) -> None:
    after = world.inventory()
    assert grown(before, after) == {what: expected.get(what, 0) for what in before}
    assert len(set(after["training runs"])) == len(after["training runs"]), "one MLflow run for each training"


def test_killed_at_the_end_of_every_step_a_version_is_made_and_a_model_deployed_once(world: World):
    """A task that has done all and is killed before it can say so does it once more: the hardest moment."""
    world.ready(SYSTEM)

    world.step("Ingest, each of its tasks killed once")
    world.fill_lake(revision=10)
    before = world.inventory()
    world.kill({INGEST: {"*": "end"}})
    tasks = world.tasks(INGEST, world.run(INGEST))
    assert {"ensure_volume", "sync", "check", "freeze", "retention"} <= tasks.keys()
    assert {name: task["try_number"] for name, task in tasks.items()} == dict.fromkeys(tasks, 2)
    check_growth(world, before, {"versions": 1})

    world.step("Training and deployment, each task killed once")
    before = world.inventory()
    world.kill({TRAIN: {"*": "end"}})
    run_id = world.run(TRAIN, DEPLOY)
    tasks = world.tasks(TRAIN, run_id)
    assert {"train", "claim", "promote.register", "deploy.confirm", "release", "delete_workspace"} <= tasks.keys()
    assert {name: task["try_number"] for name, task in tasks.items()} == dict.fromkeys(tasks, 2)
    check_growth(world, before, DEPLOYED)
    deployed = world.api.xcom(TRAIN, run_id, "deploy.confirm")["model_version"]["version"]
    assert world.served()["versions"] == [str(deployed)]
    assert world.workspaces() == set()


def test_a_failed_run_keeps_its_workspace_and_clearing_goes_on_in_it(world: World):
    world.ready(SYSTEM)
    world.with_a_version()
    before = world.inventory()

    world.step("Tasks are killed in the middle of their work, and one of them at every try, so that the run fails")
    steps = dict.fromkeys(("create_workspace", "train", "claim"), "middle")
    world.kill({TRAIN: {**steps, "evaluate": "every"}})
    run_id = world.start(TRAIN, DEPLOY)
    with pytest.raises(RunFailed, match="Task evaluate of tyre_quality failed"):
        follow(world.api, TRAIN, run_id)
    kept = world.workspaces()
    key = world.api.xcom(TRAIN, run_id, "choose")["run_key"]
    assert kept and all(key in name.replace("-", "_") for name in kept), "volume and bucket of this run"
    assert world.states(TRAIN, run_id)["deploy.load"] == "upstream_failed", "nothing was loaded"

    world.step("The failed task is cleared: the run goes on to a deployed model without training again")
    world.kill({TRAIN: {"promote.publish": "middle", "deploy.load": "middle"}})
    clear(world, run_id)
    follow(world.api, TRAIN, run_id)
    check_growth(world, before, DEPLOYED)
    assert world.workspaces() == set()


def clear(world: World, run_id: str) -> None:
    """Clear the failed task and what comes after it, as the button of the UI does."""
    chosen = {"dag_run_id": run_id, "task_ids": ["evaluate"], "include_downstream": True, "only_failed": False}
    asked = {**chosen, "dry_run": False, "reset_dag_runs": True}
    cleared = world.api.call("POST", f"dags/{TRAIN}/clearTaskInstances", json=asked)["task_instances"]
    assert {"evaluate", "deploy.load", "delete_workspace"} <= {task["task_id"] for task in cleared}
    assert "train" not in {task["task_id"] for task in cleared}


def test_the_scheduler_dies_and_the_run_goes_on(world: World):
    world.ready(SYSTEM)
    world.with_a_version()
    before = world.inventory()

    world.step("While the run trains, the scheduler is killed with all its workers")
    run_id = world.start(TRAIN, {"promote": "never", **QUICK})
    wait_for(lambda: is_under_way(world, run_id), lambda: "train has not started")
    for pid in scheduler_processes(world):
        os.kill(pid, signal.SIGKILL)
    follow(world.api, TRAIN, run_id)
    check_growth(world, before, {"training runs": 1})
    assert world.workspaces() == set()


def is_under_way(world: World, run_id: str) -> bool:
    return world.states(TRAIN, run_id).get("train") in ("running", "deferred")


def scheduler_processes(world: World) -> list[int]:
    """The scheduler and the workers it has started."""
    parent = world.stack.supervisor.processes()["airflow-scheduler"]["pid"]
    return [parent, *children(parent)]


def children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            found += [child, *children(child)]
    return found
