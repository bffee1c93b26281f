"""What happens to jobs on a real Slurm while they wait and run, and that none of it loses or doubles a program."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ontap_mlops.compute.workload import PlaceUnavailable, Resources, State, Workload
from scripts.equipment.slurm_cluster import Cluster
from tests.slurm.conftest import Site, ended, wait_until

ALL_CPUS = Resources(cpus=16)  # of one node


@pytest.fixture(scope="module", autouse=True)
def ranks(cluster: Cluster) -> None:
    """QOS of three ranks: `urgent` takes from `yielding`, which is requeued, and from `leaving`, which is cancelled."""
    site = Site(cluster, cluster.folder)

    def say(*command: str) -> None:
        site.try_to("sacctmgr", "--immediate", *command)

    say("add", "qos", "yielding", "PreemptMode=requeue", "Priority=0")
    say("add", "qos", "leaving", "PreemptMode=cancel", "Priority=0")
    say("add", "qos", "urgent", "Preempt=yielding,leaving", "Priority=100")
    say("modify", "user", "root", "set", "qos+=yielding,leaving,urgent")


def started(site: Site, runner, workload: Workload) -> None:
    runner.submit(workload)
    wait_until(lambda: "up" in runner.logs(workload.name)[0], 300, f"the start of {workload.name}")


def starts_again(mark: Path, times: int) -> None:
    """Slurm lets a job that was put back wait until what it was launched with has expired."""
    wait_until(lambda: len(mark.read_text().split()) == times, 300, f"start {times}")


def take_its_place(site: Site, node: str, seconds: float = 0.5) -> None:
    """A job of higher rank that needs all of the node for a moment."""
    urgent = site.runner(qos="urgent", options=[f"--nodelist={node}"])
    workload = site.workload(f"sleep={seconds}", resources=ALL_CPUS)
    urgent.submit(workload)
    assert ended(urgent, workload.name).state is State.SUCCEEDED


def test_a_preempted_job_is_pending_again_and_not_failed_and_being_preempted_three_times_is_said(
    site: Site, tmp_path: Path
):
    go_on, mark = tmp_path / "go-on", tmp_path / "starts"
    runner = site.runner(qos="yielding", options=["--nodelist=node1"])
    workload = site.workload(f"mark={mark}", "say=up", f"until={go_on}", secrets={"TOKEN": "x"}, resources=ALL_CPUS)
    started(site, runner, workload)
    messages = []
    for times in (1, 2, 3):
        urgent = site.runner(qos="urgent", options=["--nodelist=node1"])
        other = site.workload("say=up", f"until={tmp_path}/other-{times}", resources=ALL_CPUS)
        started(site, urgent, other)
        status = wait_until(lambda: (s := runner.status(workload.name)).state is State.PENDING and s.message and s)
        assert status.pending_since is not None and time.time() - status.pending_since < 60
        messages.append(status.message)
        (tmp_path / f"other-{times}").touch()
        starts_again(mark, times + 1)
    assert "it was preempted once" in messages[0] and "it was preempted 3 times" in messages[2]
    go_on.touch()
    assert ended(runner, workload.name).state is State.SUCCEEDED
    assert "WARNING: Slurm starts it again (start 4)" in runner.logs(workload.name)[0]
    assert not (site.shared / workload.name / "environment").exists()


def test_where_preemption_cancels_the_job_goes_back_into_the_queue(site: Site, tmp_path: Path):
    go_on, mark = tmp_path / "go-on", tmp_path / "starts"
    runner = site.runner(qos="leaving", options=["--nodelist=node2"])
    workload = site.workload(f"mark={mark}", "say=up", f"until={go_on}", resources=ALL_CPUS)
    started(site, runner, workload)
    take_its_place(site, "node2")
    assert wait_until(lambda: runner.status(workload.name)).state in (State.PENDING, State.RUNNING)
    starts_again(mark, 2)
    go_on.touch()
    assert ended(runner, workload.name).state is State.SUCCEEDED
    assert len(mark.read_text().split()) == 2


def test_a_requeued_job_and_one_whose_node_is_lost_start_again(site: Site, tmp_path: Path):
    go_on, mark = tmp_path / "go-on", tmp_path / "starts"
    runner = site.runner(prepare=["trap '' TERM"])  # the script sees its program end before it is killed itself
    workload = site.workload(f"mark={mark}", "say=up", f"until={go_on}")
    started(site, runner, workload)
    site.say("scontrol", "requeue", site.number(workload.name))
    starts_again(mark, 2)
    node = re.search(r" NodeList=(\S+)", site.say("scontrol", "show", "job", site.number(workload.name)))[1]
    site.say("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=lost")
    try:
        starts_again(mark, 3)
    finally:
        site.try_to("scontrol", "update", f"NodeName={node}", "State=RESUME")
    go_on.touch()
    assert ended(runner, workload.name).state is State.SUCCEEDED


def test_a_lost_node_is_said_where_the_job_may_not_start_again(site: Site):
    runner = site.runner(options=["--no-requeue", "--nodelist=node2"])
    workload = site.workload("say=up", "sleep=60")
    started(site, runner, workload)
    site.say("scontrol", "update", "NodeName=node2", "State=DOWN", "Reason=lost")
    try:
        status = ended(runner, workload.name)
    finally:
        site.try_to("scontrol", "update", "NodeName=node2", "State=RESUME")
    assert status.state is State.FAILED
    assert status.message == "its node node2 failed and Slurm did not start it again; a retry may find another node"


@pytest.fixture
def drained(site: Site) -> Iterator[None]:
    for node in site.cluster.node_names:
        site.say("scontrol", "update", f"NodeName={node}", "State=DRAIN", "Reason=maintenance")
    yield
    for node in site.cluster.node_names:
        site.try_to("scontrol", "update", f"NodeName={node}", "State=RESUME")


def test_while_nodes_are_drained_a_job_waits_since_a_time_and_with_a_reason_and_can_be_withdrawn(site: Site, drained):
    runner, before = site.runner(), time.time()
    workload = site.workload("say=up")
    runner.submit(workload)
    status = wait_until(lambda: (s := runner.status(workload.name)).message and s)
    assert status.state is State.PENDING
    assert "waits: ReqNodeNotAvail" in status.message or "waits: Nodes required" in status.message
    assert before - 2 < status.pending_since < time.time() + 1
    runner.cancel(workload.name)
    assert runner.status(workload.name).state is State.CANCELLED
    assert runner.logs(workload.name)[0] == "" and site.queue() == []


def test_a_job_that_somebody_cancels_at_the_cluster_says_so(site: Site):
    runner = site.runner()
    workload = site.workload("say=up", "sleep=60")
    started(site, runner, workload)
    number = site.number(workload.name)
    site.say("scancel", number)
    status = ended(runner, workload.name)
    assert status.state is State.CANCELLED
    assert status.message == f"job {number} was cancelled at the cluster, by scancel"


def test_while_the_controller_is_away_programs_run_on_and_asking_is_temporary(site: Site, tmp_path: Path):
    runner, go_on = site.runner(), tmp_path / "go-on"
    workload, other = site.workload("say=up", f"until={go_on}"), site.workload("say=never")
    started(site, runner, workload)
    site.cluster.stop("slurmctld")
    try:
        with pytest.raises(PlaceUnavailable, match="slurmctld or slurmdbd does not answer"):
            runner.status(workload.name)
        with pytest.raises(PlaceUnavailable, match="slurmctld or slurmdbd does not answer"):
            runner.submit(other)
        go_on.touch()
        assert runner.logs(workload.name)[0].startswith("up"), "the log needs no controller"
    finally:
        site.cluster.start("slurmctld")
    assert ended(runner, workload.name).state is State.SUCCEEDED
    assert not (site.shared / other.name).exists() and other.name not in site.queue()
