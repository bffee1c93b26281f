"""Policies of storage efficiency, by the official client."""

from __future__ import annotations

from uuid import uuid4

import pytest
from netapp_ontap.error import NetAppRestError
from netapp_ontap.resources import Schedule, VolumeEfficiencyPolicy


@pytest.fixture
def svm(cluster):
    return {"name": cluster.svm}


@pytest.fixture
def policy(svm):
    made = VolumeEfficiencyPolicy(name=f"p_{uuid4().hex[:8]}", svm=svm, duration="2", comment="nightly")
    made.post(hydrate=True)
    yield made
    if VolumeEfficiencyPolicy.find(name=made.name):
        made.delete()


def refused(call) -> tuple[int, str]:
    with pytest.raises(NetAppRestError) as error:
        call()
    return error.value.http_err_response.http_response.status_code, str(
        error.value.http_err_response.http_response.json()["error"]["code"]
    )


def test_what_is_not_said_is_as_ontap_has_it(policy, svm):
    found = VolumeEfficiencyPolicy.find(name=policy.name, fields="*")
    assert (found.type, found.schedule.name, found.enabled, found.qos_policy) == (
        "scheduled",
        "daily",
        True,
        "best_effort",
    )
    assert (found.duration, found.comment, found.svm.name) == (2, "nightly", svm["name"])
    assert {p.name for p in VolumeEfficiencyPolicy.get_collection(**{"svm.name": svm["name"]})} >= {
        "default",
        policy.name,
    }


def test_a_policy_follows_a_schedule_or_a_threshold(policy, svm):
    policy.type, policy.schedule = "threshold", None
    policy.patch()
    policy.get(fields="*")
    assert policy.start_threshold_percent == 20
    both = VolumeEfficiencyPolicy(name="both", svm=svm, schedule={"name": "daily"}, start_threshold_percent=10)
    assert refused(both.post)[0] == 400
    nowhere = VolumeEfficiencyPolicy(name="nowhere", svm=svm, schedule={"name": "never"})
    assert refused(nowhere.post)[0] == 404


def test_a_name_is_given_once_and_what_is_used_or_ontaps_own_stays(policy, svm, volume):
    again = VolumeEfficiencyPolicy(name=policy.name, svm=svm)
    assert refused(again.post) == (409, "1")
    volume.efficiency = {"dedupe": "background", "policy": {"name": policy.name}}
    volume.patch(poll_interval=1)
    volume.get(fields="efficiency")
    assert volume.efficiency.policy.name == policy.name
    assert refused(policy.delete)[0] == 409
    default = VolumeEfficiencyPolicy.find(name="default")
    assert refused(default.delete)[0] == 403
    volume.efficiency = {"policy": {"name": "of-nobody"}}
    with pytest.raises(NetAppRestError, match="of-nobody"):
        volume.patch(poll_interval=1)
    volume.efficiency = {"policy": {"name": "-"}}
    volume.patch(poll_interval=1)
    schedule = Schedule(name=f"s_{uuid4().hex[:8]}", cron={"minutes": [5]})
    schedule.post(hydrate=True)
    policy.schedule = {"name": schedule.name}
    policy.patch()
    assert refused(schedule.delete)[0] == 409
    policy.delete()
    schedule.delete()
