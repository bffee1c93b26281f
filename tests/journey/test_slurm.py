"""The tyre system on a real Slurm: the same DAG, a place of another name, and nothing left there whatever happens."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from scripts.equipment import slurm_cluster
from scripts.follow import RunFailed, follow
from scripts.systems.tyre import SYSTEM
from tests.journey.world import QUICK, TRAIN, World, wait_for

pytestmark = [pytest.mark.journey, pytest.mark.timeout(900)]
LIMIT_S = 300


def test_tyre_quality_runs_unchanged_on_slurm_and_leaves_nothing_there(world: World):
    if reason := slurm_cluster.unavailable():
        pytest.skip(reason)
    world.step("A Slurm comes up, and a version of the images is there")
    world.slurm_jobs.mkdir(exist_ok=True)
    with ThreadPoolExecutor(1) as beside:
        coming_up = beside.submit(world.slurm.up)
        world.ready(SYSTEM)
        world.with_a_version()
        coming_up.result()

    world.step("The program does not take its input: the run fails with its sentence, through the death of the worker")
    refuses = world.house / "refuses"
    refuses.touch()
    world.kill({TRAIN: {"train": "middle"}})
    with pytest.raises(RunFailed, match=r"cannot work with its input: No images today\."):
        run_id = world.start(TRAIN, {"compute": ["slurm"], "promote": "always", **QUICK})
        follow(world.api, TRAIN, run_id)
    assert world.tasks(TRAIN, run_id)["train"]["try_number"] == 2, "the retry after the worker's death, and no other"
    assert left(world) == []

    world.step("Cleared, it is trained, judged and deployed there")
    refuses.unlink()
    world.kill({})
    asked = {"dag_run_id": run_id, "task_ids": ["train"], "include_downstream": True, "only_failed": False}
    world.api.call("POST", f"dags/{TRAIN}/clearTaskInstances", json={**asked, "dry_run": False, "reset_dag_runs": True})
    follow(world.api, TRAIN, run_id)
    key = world.api.xcom(TRAIN, run_id, "choose")["run_key"].replace("_", "-")
    jobs = {name.removeprefix(f"{key}-"): states for name, states in accounted(world).items()}
    assert jobs.pop("train") == ["FAILED"]
    assert {"train-c2", "evaluate"} <= set(jobs)
    assert all(states == ["COMPLETED"] for states in jobs.values()), "each ran once, and well"
    deployed = world.api.xcom(TRAIN, run_id, "deploy.confirm")["model_version"]["version"]
    assert world.served()["versions"] == [str(deployed)]
    assert left(world) == []

    world.step("One run trains there, another finds no room and goes on to the next place; a user stops both")
    say(world, "scontrol", "update", "NodeName=node2", "State=DRAIN", "Reason=full")
    there = world.start(TRAIN, {"compute": ["slurm"], "epochs": 500})
    moved = world.start(TRAIN, {"compute": ["slurm-full", "local"], "epochs": 500})
    wait_for(lambda: running(world), lambda: "no job of the second run runs", LIMIT_S)
    wait_for(lambda: place(world, moved) == "local", lambda: f"it is at place {place(world, moved)}", LIMIT_S)
    log = "\n".join(world.api.log(world.tasks(TRAIN, moved)["train"]))
    assert "Place slurm-full: no room within 3 s (job " in log
    for run_id in (there, moved):
        world.api.call("PATCH", f"dags/{TRAIN}/dagRuns/{run_id}", json={"state": "failed"})
    wait_for(lambda: left(world) == [], lambda: f"{left(world)} is left of what was stopped", LIMIT_S)
    for run_id in (there, moved):
        wait_for(lambda run_id=run_id: over(world, run_id), lambda: "a stopped run does not end", LIMIT_S)
    world.remove_workspaces()
    stopped = {name: states for name, states in accounted(world).items() if not name.startswith(key)}
    assert len(stopped) == 2 and "COMPLETED" not in str(stopped), "one gave up waiting, SIGTERM ended the other"


def say(world: World, *command: str) -> list[str]:
    done = subprocess.run(command, env=world.slurm.environment, capture_output=True, text=True, timeout=120)
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


def place(world: World, run_id: str) -> str | None:
    """Where the program of ``train`` is."""
    begun = world.api.xcom(TRAIN, run_id, "train", "workload")
    return begun and begun["place"]


def over(world: World, run_id: str) -> bool:
    return world.api.run(TRAIN, run_id)["state"] in ("success", "failed")


def left(world: World) -> list[str]:
    """Jobs that wait or run, and folders of jobs."""
    folders = [path.name for path in world.slurm_jobs.iterdir() if path.name != ".locks"]
    return [*say(world, "squeue", "--noheader", "--format=%j"), *folders]
