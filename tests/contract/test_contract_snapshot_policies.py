"""Policies by which volumes take snapshots, and their schedules, by the official client."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from netapp_ontap.error import NetAppRestError
from netapp_ontap.resources import Schedule, SnapshotPolicy, SnapshotPolicySchedule, Volume


@pytest.fixture
def policy(cluster) -> Iterator[SnapshotPolicy]:
    copies = [{"schedule": {"name": "daily"}, "count": 7, "snapmirror_label": "day", "prefix": "nightly"}]
    made = SnapshotPolicy(name=f"p_{uuid4().hex[:8]}", svm={"name": cluster.svm}, comment="ours", copies=copies)
    made.post(hydrate=True)
    yield made
    if SnapshotPolicy.find(name=made.name):
        made.delete()


def copies(policy: SnapshotPolicy) -> dict[str, int]:
    kept = SnapshotPolicySchedule.get_collection(policy.uuid, fields="*")
    return {each.schedule.name: each.count for each in kept}


def test_a_policy_says_how_many_of_each_schedule_are_kept(policy, cluster):
    found = SnapshotPolicy.find(name=policy.name, fields="*")
    assert (found.enabled, found.comment, found.svm.name) == (True, "ours", cluster.svm)
    (copy,) = found.copies
    assert (copy.schedule.name, copy.count, copy.snapmirror_label, copy.prefix) == ("daily", 7, "day", "nightly")


def test_schedules_are_added_changed_and_removed(policy):
    SnapshotPolicySchedule(policy.uuid, schedule={"name": "weekly"}, count=4).post()
    assert copies(policy) == {"daily": 7, "weekly": 4}
    weekly = Schedule.find(name="weekly")
    kept = SnapshotPolicySchedule(policy.uuid, schedule={"uuid": weekly.uuid})
    kept.count = 2
    kept.patch()
    assert copies(policy) == {"daily": 7, "weekly": 2}
    kept.delete()
    assert copies(policy) == {"daily": 7}


def test_a_policy_that_a_volume_has_stays(policy, volume):
    volume.snapshot_policy = {"name": policy.name}
    volume.patch(poll_interval=1)
    assert Volume.find(name=volume.name, fields="snapshot_policy").snapshot_policy.name == policy.name
    with pytest.raises(NetAppRestError):
        policy.delete()
    volume.snapshot_policy = {"name": "none"}
    volume.patch(poll_interval=1)
    policy.delete()
    assert SnapshotPolicy.find(name=policy.name) is None
