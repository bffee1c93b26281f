"""The tyre system on a real Slurm: the same DAG, a place of another name, and nothing left there whatever happens."""

from __future__ import annotations

import subprocess

import pytest

from scripts.equipment import slurm_cluster
from scripts.systems.tyre import SYSTEM
from tests.journey.world import QUICK, TRAIN, World, wait_for

pytestmark = [pytest.mark.journey, pytest.mark.timeout(1200)]
LIMIT_S = 400  # until what a busy machine does late is taken for lost
SACCT = ("sacct", "--noheader", "--parsable2", "--allocations", "--starttime=2000-01-01")  # without it those of today


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
    assert world.tasks(TRAIN, run_id)["train"]["try_number"] > 1
    key = world.api.xcom(TRAIN, run_id, "choose")["run_key"].replace("_", "-")
    jobs = ended(world)
    assert {name.removeprefix(f"{key}-").split("-")[0] for name in jobs} >= {"train", "evaluate"}
    assert all(states == ["COMPLETED"] for states in jobs.values()), "each ran once, and well"
    deployed = world.api.xcom(TRAIN, run_id, "deploy.confirm")["model_version"]["version"]
    assert world.served()["versions"] == [str(deployed)]
    assert left(world) == []

    world.step("A user stops a run while it trains: the job ends with it")
    world.kill({})
    run_id = world.start(TRAIN, {"compute": ["slurm"], "epochs": 500})
    wait_for(lambda: running(world), lambda: f"no job of the second run runs: {world.states(TRAIN, run_id)}", LIMIT_S)
    world.api.call("PATCH", f"dags/{TRAIN}/dagRuns/{run_id}", json={"state": "failed"})
    wait_for(
        lambda: over(world, run_id), lambda: f"its teardown is still at work: {world.states(TRAIN, run_id)}", LIMIT_S
    )
    wait_for(lambda: left(world) == [], lambda: f"{left(world)} is left of what was stopped", LIMIT_S)
    world.remove_workspaces()
    stopped = {name: states for name, states in ended(world).items() if name not in jobs}
    assert len(stopped) == 1 and "COMPLETED" not in str(stopped), "SIGTERM ended the program: it wrote its checkpoint"


def say(world: World, *command: str) -> list[str]:
    """The lines of its answer; Slurm's daemons may be too busy to give one at once."""
    answers: list[subprocess.CompletedProcess[str]] = []

    def answered() -> bool:
        answers.append(subprocess.run(command, env=world.slurm.environment, capture_output=True, text=True))
        return answers[-1].returncode == 0

    wait_for(answered, lambda: f"{' '.join(command)}: {answers[-1].stderr}", LIMIT_S)
    return answers[-1].stdout.split("\n")[:-1]


def ended(world: World) -> dict[str, list[str]]:
    """The states of all jobs there ever were, by name, once the accounting has heard of the end of each."""
    numbers = say(world, "scontrol", "--oneliner", "show", "job")
    known = {line.split()[0].partition("=")[2] for line in numbers if line.startswith("JobId=")}

    def told() -> list[list[str]]:
        lines = say(world, *SACCT, "--format=JobID,JobName,State,End")
        jobs = [line.split("|") for line in lines]
        return jobs if known <= {job[0] for job in jobs} and not any(job[3] == "Unknown" for job in jobs) else []

    found: dict[str, list[str]] = {}
    for _, name, state, _ in wait_for(told, lambda: "the accounting does not hear of every job's end", LIMIT_S):
        found.setdefault(name, []).append(state)
    return found


def over(world: World, run_id: str) -> bool:
    return world.api.run(TRAIN, run_id)["state"] in ("success", "failed")


def running(world: World) -> list[str]:
    return say(world, "squeue", "--noheader", "--states=running", "--format=%j")


def left(world: World) -> list[str]:
    """Jobs that wait or run, and folders of jobs."""
    folders = [path.name for path in world.slurm_jobs.iterdir() if path.name != ".locks"]
    return [*say(world, "squeue", "--noheader", "--format=%j"), *folders]
