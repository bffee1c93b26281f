"""Leases: one owner at a time, whoever asks and however often."""

from __future__ import annotations

import threading

import pytest

from ontap_mlops import names
from ontap_mlops.ontap import errors, leases, snapshots
from ontap_mlops.ontap.client import Client

NAME = names.lease("tyre")


def take(client: Client, volume, owner: str) -> leases.Lease:
    return leases.take(client, volume_uuid=volume.uuid, name=NAME, owner=owner)


def test_a_lease_nobody_holds_is_taken_and_says_who_holds_it(client, volume) -> None:
    assert leases.read(client, volume_uuid=volume.uuid, name=NAME) is None
    taken = take(client, volume, "r1")
    assert (taken.name, taken.owner) == ("mlops_lease_tyre", "r1")
    assert leases.read(client, volume_uuid=volume.uuid, name=NAME) == taken


def test_the_same_owner_takes_it_again_without_a_change(client, volume, ontap) -> None:
    first = take(client, volume, "r1")
    ontap.forget_requests()
    assert take(client, volume, "r1") == first
    assert ontap.writes() == []


def test_another_learns_who_holds_it_and_since_when(client, volume) -> None:
    held = take(client, volume, "r1")
    seen = take(client, volume, "r2")
    assert (seen.owner, seen.since) == ("r1", held.since)
    assert str(seen) == f"mlops_lease_tyre, held by r1 since {held.since}"


def test_only_its_owner_gives_it_up(client, volume) -> None:
    take(client, volume, "r1")
    assert leases.release(client, volume_uuid=volume.uuid, name=NAME, owner="r2") is False
    assert take(client, volume, "r2").owner == "r1"
    assert leases.release(client, volume_uuid=volume.uuid, name=NAME, owner="r1") is True
    assert leases.release(client, volume_uuid=volume.uuid, name=NAME, owner="r1") is False
    assert take(client, volume, "r2").owner == "r2"


def test_a_late_release_leaves_the_next_holder_alone(client, volume, ontap, monkeypatch) -> None:
    old = take(client, volume, "r1")
    leases.release(client, volume_uuid=volume.uuid, name=NAME, owner="r1")
    take(client, volume, "r2")
    # What a slow worker read before the lease changed hands.
    monkeypatch.setattr(leases, "read", lambda *_, **__: old)
    assert leases.release(client, volume_uuid=volume.uuid, name=NAME, owner="r1") is False
    monkeypatch.undo()
    assert leases.read(client, volume_uuid=volume.uuid, name=NAME).owner == "r2"


@pytest.mark.parametrize("kind", ["lost_answer", "refuse"])
def test_a_lost_answer_takes_it_once(client, volume, ontap, kind: str) -> None:
    ontap.fault("POST", "snapshots", kind)
    assert take(client, volume, "r1").owner == "r1"
    ontap.fault("DELETE", "snapshots", "refuse")
    assert leases.release(client, volume_uuid=volume.uuid, name=NAME, owner="r1") is True
    assert snapshots.count(client, volume_uuid=volume.uuid) == 0


def test_of_many_who_ask_at_once_one_gets_it(ontap, volume) -> None:
    owners = [f"r{number}" for number in range(6)]
    clients = {owner: ontap.client() for owner in owners}
    for _ in range(5):
        seen, start = {}, threading.Barrier(len(owners))

        def ask(owner: str, seen=seen, start=start) -> None:
            start.wait()
            seen[owner] = take(clients[owner], volume, owner).owner

        threads = [threading.Thread(target=ask, args=(owner,)) for owner in owners]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(seen.values())) == 1, seen
        holder = seen["r0"]
        assert seen[holder] == holder
        assert leases.release(clients["r0"], volume_uuid=volume.uuid, name=NAME, owner=holder) is True


def test_a_snapshot_of_that_name_that_is_no_lease_stops_with_a_sentence(client, volume) -> None:
    snapshots.ensure(client, volume_uuid=volume.uuid, name=NAME, comment="payroll")
    with pytest.raises(errors.NameTaken, match="'payroll', so it is no lease of ours .* Rename or remove the snapshot"):
        take(client, volume, "r1")
    with pytest.raises(errors.NameTaken):
        leases.release(client, volume_uuid=volume.uuid, name=NAME, owner="r1")
    assert snapshots.count(client, volume_uuid=volume.uuid) == 1


def test_a_lease_needs_an_owner(client, volume, ontap) -> None:
    with pytest.raises(ValueError, match="name an owner, such as a run key"):
        take(client, volume, "")
    assert ontap.writes() == []
