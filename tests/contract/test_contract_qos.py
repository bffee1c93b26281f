"""QoS policies through the official client."""

from __future__ import annotations

from uuid import uuid4

import pytest
from netapp_ontap.error import NetAppRestError
from netapp_ontap.resources import QosPolicy, Volume


def code_of(error: pytest.ExceptionInfo[NetAppRestError]) -> str:
    return str(error.value.http_err_response.http_response.json()["error"]["code"])


@pytest.fixture
def make(cluster):
    """A function that makes a policy of the SVM; removed afterwards."""
    made = []

    def make(name: str | None = None, **limits) -> QosPolicy:
        policy = QosPolicy(name=name or f"contract_{uuid4().hex[:12]}", svm={"name": cluster.svm}, **limits)
        policy.post(hydrate=True, poll_interval=1)
        made.append(policy)
        return policy

    yield make
    for policy in made:
        if QosPolicy.find(uuid=policy.uuid):
            policy.delete(poll_interval=1)


def test_a_fixed_policy_is_found_with_its_limits(cluster, make):
    made = make(fixed={"max_throughput_iops": 10000, "min_throughput_iops": 5000})
    found = QosPolicy.find(name=made.name, fields="fixed,svm,policy_class,scope,object_count")
    assert (found.uuid, found.svm.name) == (made.uuid, cluster.svm)
    assert (found.fixed.max_throughput_iops, found.fixed.min_throughput_iops) == (10000, 5000)
    assert (found.fixed.capacity_shared, found.policy_class, found.scope) == (False, "user_defined", "svm")
    assert found.object_count == 0


def test_an_adaptive_policy_is_changed_and_renamed(make):
    policy = make(adaptive={"expected_iops": 5000, "peak_iops": 6000, "absolute_min_iops": 1000})
    policy.adaptive = {"peak_iops": 9000}
    policy.name += "_2"
    policy.patch(poll_interval=1)
    policy.get()
    assert (policy.adaptive.expected_iops, policy.adaptive.peak_iops) == (5000, 9000)
    assert policy.name.endswith("_2")


def test_a_minimum_over_the_maximum_is_refused(make):
    with pytest.raises(NetAppRestError) as refused:
        make(fixed={"max_throughput_iops": 10, "min_throughput_iops": 20})
    assert code_of(refused) == "8454194"


def test_a_taken_name_is_refused(make):
    policy = make(fixed={"max_throughput_iops": 10})
    with pytest.raises(NetAppRestError) as refused:
        make(policy.name, fixed={"max_throughput_iops": 10})
    assert code_of(refused) == "8454154"


def test_ontap_brings_adaptive_policies_of_its_own(cluster):
    presets = {policy.name: policy for policy in QosPolicy.get_collection(policy_class="preset", fields="adaptive")}
    assert {"extreme", "performance", "value"} <= set(presets)
    assert presets["extreme"].adaptive.expected_iops > presets["value"].adaptive.expected_iops


def test_a_volume_changes_its_policy_while_it_is_in_use(volume, make):
    policy = make(fixed={"max_throughput_iops": 10000})
    for name in ("extreme", policy.name):
        volume.qos = {"policy": {"name": name}}
        volume.patch(poll_interval=1)
        volume.get(fields="qos.policy.name")
        assert volume.qos.policy.name == name
    policy.get(fields="object_count")
    assert policy.object_count == 1


def test_a_volume_without_a_policy_shows_none(volume):
    volume.qos = {"policy": {"name": "extreme"}}
    volume.patch(poll_interval=1)
    volume.qos = {"policy": {"name": "none"}}
    volume.patch(poll_interval=1)
    volume.get(fields="name,qos.policy.name")
    assert "qos" not in volume.to_dict()


def test_a_policy_that_is_not_there_is_refused(volume):
    volume.qos = {"policy": {"name": "nobody_has_this"}}
    with pytest.raises(NetAppRestError) as refused:
        volume.patch(poll_interval=1)
    assert "nobody_has_this" in str(refused.value)


def test_a_removed_policy_leaves_its_volumes(volume, make):
    policy = make(fixed={"max_throughput_iops": 10})
    volume.qos = {"policy": {"name": policy.name}}
    volume.patch(poll_interval=1)
    policy.delete(poll_interval=1)
    found = Volume.find(uuid=volume.uuid, fields="name,qos.policy.name")
    assert "qos" not in found.to_dict()
