"""A worker that dies between two of its commands, or whose answer is lost, neither doubles a program nor loses it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ontap_mlops.compute.workload import PlaceUnavailable, State
from tests.slurm.conftest import Site, ended, wait_until

DIES = "kill -9 $PPID; exit 1"


def commands(folder: Path, name: str, before: str = "", after: str = "") -> str:
    """A folder in which this one command of Slurm is followed, or preceded, by something."""
    folder.mkdir()
    script = folder / name
    script.write_text(f'#!/bin/sh\n{before}\n{shutil.which(name)} "$@"; code=$?\n{after}\nexit $code\n')
    script.chmod(0o755)
    return str(folder)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("command", ["squeue", "tar", "sbatch", "mv"])
def test_a_worker_killed_while_it_submits_leaves_what_the_next_one_finds(
    site: Site, tmp_path: Path, command: str, when: str
):
    mark, go_on = tmp_path / "starts", tmp_path / "go-on"
    workload = site.workload(f"mark={mark}", f"until={go_on}")
    dying = site.runner(commands=commands(tmp_path / "dying", command, **{when: DIES}))
    with pytest.raises(PlaceUnavailable):
        dying.submit(workload)
    runner = site.runner()
    assert runner.status(workload.name).state in (State.MISSING, State.PENDING, State.RUNNING)
    runner.submit(workload)
    wait_until(mark.exists)
    runner.submit(workload)
    go_on.touch()
    assert ended(runner, workload.name).state is State.SUCCEEDED
    assert len(mark.read_text().split()) == 1


def test_a_job_whose_submission_seemed_to_fail_ends_without_running_the_program(site: Site, tmp_path: Path):
    """The controller took the job and its answer was lost: by then another place may have the program."""
    mark = tmp_path / "starts"
    lost = "echo 'sbatch: error: Batch job submission failed: Socket timed out on send/recv operation' >&2; code=1"
    workload = site.workload(f"mark={mark}")
    with pytest.raises(PlaceUnavailable, match="Socket timed out"):
        site.runner(commands=commands(tmp_path / "lost", "sbatch", after=lost)).submit(workload)
    runner = site.runner()
    assert runner.status(workload.name).state is State.MISSING
    wait_until(lambda: workload.name not in site.queue(), what="the job that nobody wants being over")
    assert not mark.exists()


def test_a_job_whose_submission_seemed_to_fail_makes_way_for_the_next_one_of_its_name(site: Site, tmp_path: Path):
    mark = tmp_path / "starts"
    lost = "echo 'sbatch: error: Batch job submission failed: Socket timed out on send/recv operation' >&2; code=1"
    workload = site.workload(f"mark={mark}")
    held = site.runner(options="--hold", commands=commands(tmp_path / "lost", "sbatch", after=lost))
    with pytest.raises(PlaceUnavailable):
        held.submit(workload)
    assert site.queue().count(workload.name) == 1
    runner = site.runner()
    runner.submit(workload)
    assert ended(runner, workload.name).state is State.SUCCEEDED
    assert len(mark.read_text().split()) == 1 and workload.name not in site.queue()


@pytest.mark.parametrize(("command", "when"), [("scontrol", "before"), ("scancel", "before"), ("scancel", "after")])
def test_a_worker_killed_while_it_cancels_leaves_what_the_next_one_cancels(
    site: Site, tmp_path: Path, command: str, when: str
):
    workload = site.workload("checkpoint", "say=up", "sleep=60")
    runner = site.runner()
    runner.submit(workload)
    wait_until(lambda: "up" in runner.logs(workload.name)[0])
    with pytest.raises(PlaceUnavailable):
        site.runner(commands=commands(tmp_path / "dying", command, **{when: DIES})).cancel(workload.name)
    assert runner.status(workload.name).state in (State.RUNNING, State.CANCELLED), "what was stopped is no success"
    runner.cancel(workload.name)
    assert runner.status(workload.name).state is State.CANCELLED
    assert workload.name not in site.queue()


def test_a_job_that_was_told_to_stop_and_not_reached_is_told_again_by_whoever_looks(site: Site, tmp_path: Path):
    workload = site.workload("say=up", "sleep=60")
    runner = site.runner()
    runner.submit(workload)
    wait_until(lambda: "up" in runner.logs(workload.name)[0])
    (site.shared / workload.name / "stopping").write_text("1")  # its time was over long ago
    assert ended(runner, workload.name).state is State.CANCELLED


def test_a_deaf_program_that_was_told_to_stop_is_killed_although_whoever_told_it_is_dead(site: Site, tmp_path: Path):
    workload = site.workload("deaf", "say=up", "sleep=600")
    runner = site.runner(grace_s=1)
    runner.submit(workload)
    wait_until(lambda: "up" in runner.logs(workload.name)[0])
    dying = site.runner(grace_s=1, commands=commands(tmp_path / "dying", "scancel", after=DIES))
    with pytest.raises(PlaceUnavailable):
        dying.cancel(workload.name)
    wait_until(lambda: workload.name not in site.queue(), what="that nobody has to look for it to end")
    assert runner.status(workload.name).state is State.CANCELLED
