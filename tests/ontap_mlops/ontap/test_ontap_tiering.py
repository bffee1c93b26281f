"""Where a volume's cold data goes, what it saves, and whether it is encrypted."""

from __future__ import annotations

import pytest

from ontap_mlops.ontap import aggregates, efficiency, encryption, moves, tiering, volumes
from ontap_mlops.ontap.errors import InvalidRequest, NotEncrypted, NotFound, ServiceTrouble
from tests.ontap_mlops.conftest import SVM


@pytest.fixture
def on_aggr2(client, volume):
    moves.begin(client, svm=SVM, name="tyre", aggregate="aggr2")
    return volume


def set_policy(client, policy, days=None):
    return tiering.set_policy(client, svm=SVM, name="tyre", policy=policy, cooling_days=days)


def test_a_policy_is_set_with_its_days_and_said_with_what_it_was(client, on_aggr2, ontap):
    before, now = set_policy(client, "auto", 40)
    assert (before.policy, before.cooling_days, now.policy, now.cooling_days) == ("none", None, "auto", 40)
    ontap.forget_requests()
    assert set_policy(client, "auto", 40)[0] == now
    assert ontap.writes() == []
    assert set_policy(client, "snapshot_only")[1].cooling_days == 2


def test_an_aggregate_without_an_object_store_tiers_nothing(client, volume, ontap):
    with pytest.raises(InvalidRequest, match="'tyre' of SVM 'svm1' lies on aggregate 'aggr1', which has no object"):
        set_policy(client, "auto")
    assert set_policy(client, "none")[1].policy == "none"
    assert ontap.writes() == []


def test_an_object_store_that_cannot_be_reached_is_named_and_may_come_back(client, on_aggr2, ontap, monkeypatch):
    ontap.control("PUT", "/cloud-stores", {"availability": "unavailable"})
    monkeypatch.setattr("ontap_mlops.ontap.client._PAUSES_S", (0.01, 0.01))
    with pytest.raises(ServiceTrouble, match="Object store 'cold_data' of aggregate 'aggr2'"):
        set_policy(client, "all")
    ontap.control("PUT", "/cloud-stores", {"availability": "available"})
    assert set_policy(client, "all")[1].policy == "all"


@pytest.mark.parametrize(
    ("policy", "days", "said"),
    [
        ("cold", None, "none of none, snapshot_only, auto, all"),
        ("none", 9, "takes no cooling days"),
        ("auto", 1, "give 2 to 183"),
    ],
)
def test_a_policy_that_cannot_be_changes_nothing(client, on_aggr2, ontap, policy, days, said):
    ontap.forget_requests()
    with pytest.raises(InvalidRequest, match=said):
        set_policy(client, policy, days)
    assert ontap.writes() == []


def test_an_aggregates_room_and_stores(client, ontap):
    assert [a.name for a in aggregates.list_aggregates(client)] == ["aggr1", "aggr2"]
    assert aggregates.object_stores(client, name="aggr1") == []
    with pytest.raises(NotFound, match="no aggregate 'aggr9'"):
        aggregates.object_stores(client, name="aggr9")


def test_savings_are_switched_on_and_off_and_a_second_call_asks_for_nothing(client, volume, ontap):
    before, now = efficiency.ensure(client, svm=SVM, name="tyre", compression="both", compaction="inline")
    assert (before.enabled, before.compression) == (False, "none")
    assert (now.enabled, now.compression, now.dedupe, now.compaction) == (True, "both", "background", "inline")
    ontap.forget_requests()
    assert efficiency.ensure(client, svm=SVM, name="tyre", compression="both", compaction="inline")[1] == now
    assert ontap.writes() == []
    off = efficiency.ensure(client, svm=SVM, name="tyre", compression="none", compaction="none", dedupe="none")[1]
    assert off.enabled is False
    with pytest.raises(InvalidRequest, match="compression 'zip' was asked of volume 'tyre'"):
        efficiency.ensure(client, svm=SVM, name="tyre", compression="zip")


def test_a_volume_that_must_be_encrypted_and_is_not_is_said(client, volume, ontap):
    with pytest.raises(NotEncrypted, match="'tyre' of SVM 'svm1' must be encrypted and is unencrypted"):
        encryption.require(client, volume=volume)
    ontap.http.post("/api/security/key-managers", json={"onboard": {"passphrase": "p" * 64}}).raise_for_status()
    client.modify("Volume", {"uuid": volume.uuid}, {"encryption": {"enabled": True}}, asked="encrypt the volume")
    found = encryption.require(client, volume=volumes.get(client, svm=SVM, name="tyre"))
    assert (found.state, found.kind) == ("encrypted", "volume")
