"""State and sentence of a pod, from what clusters of several versions say of it."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from ontap_mlops.compute.kinds.kubernetes import ends, logs
from ontap_mlops.compute.workload import State


def at(seconds_ago: float) -> str:
    return datetime.fromtimestamp(time.time() - seconds_ago, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def pod(phase: str, state: dict | None = None, *, ago: float = 5, deadline: int | None = None, **status) -> dict:
    spec = {"containers": [{"image": "tasks:1", "resources": {"limits": {"memory": "1024Mi"}}}], "nodeName": "n1"}
    spec["terminationGracePeriodSeconds"] = 10
    if deadline:
        spec["activeDeadlineSeconds"] = deadline
    if state is not None:
        status["containerStatuses"] = [{"name": "program", "state": state}]
    return {"metadata": {"name": "p", "creationTimestamp": at(ago)}, "spec": spec, "status": {"phase": phase, **status}}


def ended(code: int, reason: str = "Error", message: str = "") -> dict:
    return {"terminated": {"exitCode": code, "reason": reason, "message": message}}


@pytest.mark.parametrize(
    ("seen", "message"),
    [
        (pod("Failed", ended(1, message="a\nValueError: no\n")), "exit code 1: ValueError: no"),
        (pod("Failed", ended(1)), "exit code 1"),
        (pod("Failed", ended(2, message="first\ngive a folder\n\n")), "give a folder"),
        (pod("Failed", ended(1, message='{"loss": 1}')), "exit code 1"),
        (pod("Failed", ended(139)), "killed by SIGSEGV"),
        (
            pod("Failed", ended(137, "OOMKilled")),
            "killed for using more memory than its limit of 1024Mi; give the program more memory_gib",
        ),
        (
            pod("Failed", ended(128, "StartError", 'exec: "python": not found')),
            'exit code 128: StartError: exec: "python": not found',
        ),
        (
            pod("Failed", reason="Evicted", message="The node was low on resource: memory."),
            "its pod was taken away: Evicted: The node was low on resource: memory",
        ),
        (
            pod("Failed", reason="NodeLost", message="Node n1 is gone"),
            "its pod was taken away: NodeLost: Node n1 is gone",
        ),
        (
            pod("Failed", ended(143), reason="DeadlineExceeded", deadline=3),
            "stopped at its time limit of 3 s",
        ),
    ],
)
def test_a_failure_is_said_in_a_sentence(seen, message):
    status = ends.of_pod(seen)
    assert (status.state, status.message) == (State.FAILED, message)
    assert status.out_of_time == ("time limit" in message)


def test_at_its_deadline_it_runs_until_its_grace_is_over_where_the_node_says_no_more():
    running = {"running": {"startedAt": at(20)}}
    now = pod("Failed", running, ago=10, deadline=8, reason="DeadlineExceeded")
    assert ends.of_pod(now).state is State.RUNNING and ends.of_pod(now).stopping
    later = pod("Failed", running, ago=30, deadline=8, reason="DeadlineExceeded")
    assert ends.of_pod(later).out_of_time


def test_what_waits_for_room_says_since_when_and_what_is_being_prepared_does_not_wait_for_room():
    unplaced = [{"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available: 3 Insufficient cpu."}]
    waits = ends.of_pod(pod("Pending", conditions=unplaced, ago=100))
    assert waits.message == "0/3 nodes are available: 3 Insufficient cpu"
    assert waits.pending_since == pytest.approx(time.time() - 100, abs=5)
    placed = [{"type": "PodScheduled", "status": "True"}]
    pulling = pod("Pending", {"waiting": {"reason": "ContainerCreating"}}, conditions=placed, ago=100)
    assert ends.of_pod(pulling).pending_since is None and ends.is_slow(pulling)
    said = {"waiting": {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "tasks:1"'}}
    stuck = ends.of_pod(pod("Pending", said, conditions=placed, ago=100))
    assert stuck.message == 'ImagePullBackOff: Back-off pulling image "tasks:1"' and stuck.pending_since


def test_a_pod_that_is_deleted_runs_until_it_is_over():
    going = pod("Running", {"running": {}})
    going["metadata"]["deletionTimestamp"] = at(1)
    assert ends.of_pod(going).stopping and ends.of_pod(going).state is State.RUNNING


@pytest.mark.parametrize(
    ("written", "nanoseconds"),
    [
        ("2026-11-27T03:41:32.12Z", 120_000_000),
        ("2026-11-27T04:41:32.123456789+01:00", 123_456_789),
        ("2026-11-27T03:41:32Z", 0),
    ],
)
def test_times_of_a_log_are_read_in_any_zone_and_length(written, nanoseconds):
    second = int(datetime(2026, 11, 27, 3, 41, 32, tzinfo=UTC).timestamp())
    assert logs.nanoseconds(written) == second * 10**9 + nanoseconds


def test_lines_of_one_moment_are_given_once_each():
    data = b"2026-11-27T03:41:32.1Z a\n2026-11-27T03:41:32.1Z b\n2026-11-27T03:41:32.2Z c\n2026-11-27T03:41:3"
    lines = logs.split(data, cut=True)
    assert [text for _, text in lines] == ["a", "b", "c"]
    assert [text for _, text in logs.beyond(lines, (lines[0][0], 1))] == ["b", "c"]
    assert logs.beyond(lines, (lines[2][0], 1)) == []
