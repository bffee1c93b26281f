"""The tyre system on a real Slurm: the same DAG, a place of another name, and nothing left there whatever happens."""

from __future__ import annotations

import subprocess

import pytest

from scripts.equipment import slurm_cluster
from scripts.systems.tyre import SYSTEM
from tests.journey.world import QUICK, TRAIN, World, wait_for

pytestmark = [pytest.mark.journey, pytest.mark.timeout(600)]


def test_tyre_quality_runs_unchanged_on_slurm_and_leaves_nothing_there(world: World):
    if reason := slurm_cluster.unavailable():
        pytest.skip(reason)
    world.step("A Slurm comes up")
    world.slurm_jobs.mkdir(exist_ok=True)
    world.slurm.up()
    world.ready(SYSTEM)
    world.with_a_version()

    world.step("A model is trained, judged and deployed there, through the death of the worker that trains")
    world.kill({TRAIN: {"train": "middle"}})
    run_id = world.run(TRAIN, {"compute": ["slurm"], "promote": "always", **QUICK})
    assert world.tasks(TRAIN, run_id)["train"]["try_number"] == 2
    key = world.api.xcom(TRAIN, run_id, "choose")["run_key"].replace("_", "-")
    jobs = accounted(world)
    assert {name.removeprefix(f"{key}-").split("-")[0] for name in jobs} >= {"train", "evaluate"}
    assert all(states == ["COMPLETED"] for states in jobs.values()), "each ran once, and well"
    deployed = world.api.xcom(TRAIN, run_id, "deploy.confirm")["model_version"]["version"]
    assert world.served()["versions"] == [str(deployed)]
    assert left(world) == []

    world.step("A user stops a run while it trains: the job ends with it")
    world.kill({})
    run_id = world.start(TRAIN, {"compute": ["slurm"], "epochs": 500})
    wait_for(lambda: running(world), lambda: "no job of the second run runs")
    world.api.call("PATCH", f"dags/{TRAIN}/dagRuns/{run_id}", json={"state": "failed"})
    wait_for(lambda: left(world) == [], lambda: f"{left(world)} is left of what was stopped")
    world.remove_workspaces()
    stopped = {name: states for name, states in accounted(world).items() if name not in jobs}
    assert len(stopped) == 1 and "COMPLETED" not in str(stopped), "SIGTERM ended the program: it wrote its checkpoint"


def say(world: World, *command: str) -> list[str]:
    done = subprocess.run(command, env=world.slurm.environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[:-1]


def accounted(world: World) -> dict[str, list[str]]:
    """The states of all jobs there ever were, by name."""
    found: dict[str, list[str]] = {}
    for line in say(world, "sacct", "--noheader", "--parsable2", "--allocations", "--format=JobName,State"):
        name, _, state = line.partition("|")
        found.setdefault(name, []).append(state)
    return found


def running(world: World) -> list[str]:
    return say(world, "squeue", "--noheader", "--states=running", "--format=%j")


def left(world: World) -> list[str]:
    """Jobs that wait or run, and folders of jobs."""
    folders = [path.name for path in world.slurm_jobs.iterdir() if path.name != ".locks"]
    return [*say(world, "squeue", "--noheader", "--format=%j"), *folders]
