"""FlexGroup volumes and QoS policies: made once, found again, left to whom they belong."""

from __future__ import annotations

import pytest

from ontap_mlops.ontap import clones, flexgroups, qos, qos_policies, snapshots, volumes
from ontap_mlops.ontap.errors import InUse, InvalidRequest, NameTaken, NotFound, NotOurs
from tests.ontap_mlops.conftest import GIB, MARK, SVM


def group(client, **other):
    facts = {"svm": SVM, "name": "wide", "size_bytes": GIB, "comment": MARK, "aggregates": ["aggr1", "aggr2"]}
    return flexgroups.ensure(client, **(facts | {"per_aggregate": 2, "junction_path": "/wide"} | other))


def test_a_flexgroup_is_made_once_found_again_and_grown(client, ontap):
    made = group(client)
    ontap.forget_requests()
    assert group(client) == made
    assert ontap.writes() == []
    parts = flexgroups.constituents(client, volume=made)
    assert [(p.name, p.aggregate, p.size_bytes) for p in parts][:2] == [
        ("wide__0001", "aggr1", GIB // 4),
        ("wide__0002", "aggr2", GIB // 4),
    ]
    assert group(client, size_bytes=2 * GIB).size_bytes == 2 * GIB
    (ontap.emulator.namespace / "wide" / "a").write_text("x")
    snapshots.ensure(client, volume_uuid=made.uuid, name="s1", comment=MARK)
    copy = {"name": "narrow", "parent_volume": "wide", "parent_snapshot": "s1", "junction_path": "/narrow"}
    clone = clones.ensure(client, svm=SVM, comment=MARK, **copy)
    assert len(flexgroups.constituents(client, volume=clone)) == 4
    assert (ontap.emulator.namespace / "narrow" / "a").read_text() == "x"


def test_a_volume_of_another_kind_or_of_somebody_else_is_not_taken_for_it(client, volume):
    assert flexgroups.constituents(client, volume=volume) == []
    with pytest.raises(NameTaken, match="'tyre' of SVM 'svm1' exists as a flexvol volume, not as a FlexGroup"):
        group(client, name="tyre")
    group(client)
    with pytest.raises(NameTaken, match="not ours to use"):
        group(client, comment="somebody's")


def ensure(client, kind="fixed", **limits):
    return qos_policies.ensure(client, svm=SVM, name="training", kind=kind, limits=limits)


def test_a_policy_is_made_once_and_changed_to_what_is_asked(client, ontap):
    made = ensure(client, max_throughput_iops=1000, min_throughput_iops=100, capacity_shared=True)
    assert (made.kind, made.svm, made.limits["capacity_shared"]) == ("fixed", SVM, True)
    ontap.forget_requests()
    assert ensure(client, max_throughput_iops=1000, min_throughput_iops=100, capacity_shared=True) == made
    assert ontap.writes() == []
    assert ensure(client, max_throughput_iops=2000).limits["max_throughput_iops"] == 2000
    with pytest.raises(NameTaken, match="'training' of SVM 'svm1' is fixed"):
        ensure(client, "adaptive", expected_iops=10, peak_iops=20)


def test_a_policy_that_volumes_have_stays_and_one_of_ontaps_own_too(client, volume, ontap):
    ensure(client, max_throughput_iops=10)
    qos.raise_policy(client, svm=SVM, volume="tyre", policy="training", holder="r1")
    with pytest.raises(InUse, match="1 volumes or files have it"):
        qos_policies.delete(client, svm=SVM, name="training")
    qos.lower_policy(client, svm=SVM, volume="tyre", holder="r1")
    assert qos_policies.delete(client, svm=SVM, name="training") is True
    assert qos_policies.delete(client, svm=SVM, name="training") is False
    with pytest.raises(NotOurs, match="ONTAP's own"):
        qos_policies.delete(client, svm=SVM, name="extreme")
    with pytest.raises(NameTaken, match="ONTAP's own"):
        qos_policies.ensure(client, svm=SVM, name="value", kind="fixed", limits={"max_throughput_iops": 1})


@pytest.mark.parametrize(
    ("kind", "limits", "said"),
    [
        ("loose", {}, "'loose'; it is fixed or adaptive"),
        ("fixed", {"peak_iops": 5}, "is fixed and has no 'peak_iops'"),
        ("fixed", {"min_throughput_iops": 20, "max_throughput_iops": 10}, r"min_throughput_iops \(20\) is over"),
        ("adaptive", {"peak_iops": 5}, "needs expected_iops and peak_iops"),
        ("adaptive", {"expected_iops": 9, "peak_iops": 5}, r"expected_iops \(9\) is over peak_iops \(5\)"),
    ],
)
def test_limits_that_cannot_be_are_refused_before_ontap_is_asked(client, ontap, kind, limits, said):
    with pytest.raises(InvalidRequest, match=said):
        ensure(client, kind, **limits)
    assert ontap.writes() == []


def test_an_unknown_policy_is_said_with_the_known_ones(client):
    with pytest.raises(NotFound, match="no QoS policy 'fast' for SVM 'svm1'; there are: extreme"):
        qos_policies.get(client, svm=SVM, name="fast")
    assert volumes.list_volumes(client, svm=SVM)
