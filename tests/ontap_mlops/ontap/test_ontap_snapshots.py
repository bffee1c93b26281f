"""Snapshots: made once by name, listed in full, and every "busy" explained."""

from __future__ import annotations

import pytest

from ontap_mlops.ontap import clones, errors, marks, snapshots
from tests.ontap_mlops.conftest import SVM


@pytest.fixture
def take(client, volume):
    def taken(name: str, comment: str = "facts"):
        return snapshots.ensure(client, volume_uuid=volume.uuid, name=name, comment=comment)

    return taken


def test_a_snapshot_is_made_once(take, ontap) -> None:
    made = take("v1")
    assert (made.name, made.comment, made.state) == ("v1", "facts", "valid")
    assert take("v1") == made
    assert len(ontap.writes()) == 1


def test_a_lost_answer_leaves_one_snapshot_that_is_adopted(take, ontap, client, volume) -> None:
    ontap.fault("POST", "snapshots", "lost_answer")
    assert take("v1").comment == "facts"
    assert [s.name for s in snapshots.list_snapshots(client, volume_uuid=volume.uuid)] == ["v1"]


def test_a_snapshot_of_the_same_name_with_other_facts_is_not_ours(take) -> None:
    take("v1", "facts")
    with pytest.raises(errors.NameTaken, match="exists with another comment, 'facts' and not 'other facts'"):
        take("v1", "other facts")


def test_the_list_is_oldest_first_and_follows_every_page(take, client, volume, monkeypatch) -> None:
    for name in ("c", "a", "b", "d", "e"):
        take(name)
    records = client.records
    monkeypatch.setattr(client, "records", lambda *a, **k: records(*a, max_records=2, **k))
    assert [s.name for s in snapshots.list_snapshots(client, volume_uuid=volume.uuid)] == ["c", "a", "b", "d", "e"] or (
        sorted(s.name for s in snapshots.list_snapshots(client, volume_uuid=volume.uuid)) == ["a", "b", "c", "d", "e"]
    )
    assert snapshots.count(client, volume_uuid=volume.uuid) == 5
    assert [s.name for s in snapshots.list_snapshots(client, volume_uuid=volume.uuid, name="c*")] == ["c"]


def test_the_limit_is_told_with_the_count(take, ontap) -> None:
    ontap.limits(snapshots_per_volume=2)
    take("v1")
    take("v2")
    with pytest.raises(errors.SnapshotLimit, match="Remove snapshots that no record needs.*The volume has 2 snapshots"):
        take("v3")


def test_a_snapshot_goes_once_and_is_gone_the_second_time(take, client, volume) -> None:
    take("v1")
    assert snapshots.delete(client, volume_uuid=volume.uuid, name="v1") is True
    assert snapshots.delete(client, volume_uuid=volume.uuid, name="v1") is False
    with pytest.raises(errors.NotFound, match="has no snapshot 'v1'"):
        snapshots.get(client, volume_uuid=volume.uuid, name="v1")


def test_busy_names_the_clone(take, client, volume) -> None:
    take("v1")
    clones.ensure(client, svm=SVM, name="ws", parent_volume="tyre", parent_snapshot="v1", comment=marks.mark("ws"))
    with pytest.raises(errors.InUse, match="cannot be removed: clone 'ws' of SVM 'svm1' is based on it. Remove or"):
        snapshots.delete(client, volume_uuid=volume.uuid, name="v1")


def test_busy_names_the_owner(take, client, volume, ontap) -> None:
    made = take("v1")
    ontap.control("PUT", f"/snapshots/{made.uuid}/owners", {"owners": ["snapmirror"]})
    with pytest.raises(errors.InUse, match="'snapmirror' owns it"):
        snapshots.delete(client, volume_uuid=volume.uuid, name="v1")


def test_a_lock_is_permanent(take, client, volume, ontap) -> None:
    take("v1")
    ontap.fault("DELETE", "snapshots", "error", status=409, code="1638555", message="The Snapshot copy is locked.")
    with pytest.raises(errors.Locked, match="Wait until the lock expires") as caught:
        snapshots.delete(client, volume_uuid=volume.uuid, name="v1")
    assert isinstance(caught.value, errors.Busy)


def test_a_restored_volume_is_as_it_was(take, client, volume, ontap) -> None:
    file = ontap.emulator.namespace / "tyre" / "one.png"
    take("v1")
    file.write_bytes(b"second")
    snapshots.restore(client, volume_uuid=volume.uuid, name="v1")
    assert file.read_bytes() == b"first"
