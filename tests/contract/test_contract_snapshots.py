"""Snapshots and restore through the official client."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from netapp_ontap.error import NetAppRestError
from netapp_ontap.resources import Node, Snapshot, Volume

FACTS = '{"dataset":"tyre","digest":"sha256:ab","files":2}'


def code_of(error: pytest.ExceptionInfo[NetAppRestError]) -> str:
    return str(error.value.http_err_response.http_response.json()["error"]["code"])


def test_a_snapshot_is_listed_with_comment_label_and_the_clusters_time(volume):
    Snapshot(volume.uuid, name="v1", comment=FACTS, snapmirror_label="daily").post(poll_interval=1)
    found = list(Snapshot.get_collection(volume.uuid, fields="*"))
    assert [s.name for s in found] == ["v1"]
    assert (found[0].comment, found[0].snapmirror_label, found[0].state) == (FACTS, "daily", "valid")
    now = datetime.fromisoformat(str(next(iter(Node.get_collection(fields="date"))).date))
    assert abs(now - datetime.fromisoformat(str(found[0].create_time))) < timedelta(minutes=2)


def test_a_snapshot_is_selected_by_name_pattern(volume):
    for number in range(3):
        Snapshot(volume.uuid, name=f"mlops_{number}").post(poll_interval=1)
    Snapshot(volume.uuid, name="other").post(poll_interval=1)
    found = Snapshot.get_collection(volume.uuid, name="mlops_*", order_by="name desc")
    assert [s.name for s in found] == ["mlops_2", "mlops_1", "mlops_0"]


def test_comment_and_name_can_be_changed(volume, snapshot):
    snapshot.comment, snapshot.name = "changed", "renamed"
    snapshot.patch(poll_interval=1)
    snapshot.get()
    assert (snapshot.comment, snapshot.name) == ("changed", "renamed")


@pytest.mark.parametrize(
    ("chosen", "code"),
    [("first", "525059"), ("snapmirror.x", "1638477"), ("a/b", "1638518")],
    ids=["taken", "prefix", "bad"],
)
def test_a_name_that_cannot_be_is_refused_with_its_code(volume, snapshot, chosen, code):
    with pytest.raises(NetAppRestError) as refused:
        Snapshot(volume.uuid, name=chosen).post(poll_interval=1)
    assert code_of(refused) == code


def test_a_comment_of_256_characters_is_refused(volume):
    with pytest.raises(NetAppRestError):
        Snapshot(volume.uuid, name="long", comment="x" * 256).post(poll_interval=1)


def test_a_snapshot_that_has_not_expired_cannot_be_deleted(volume, only_emulator):
    expiry = datetime.now(UTC) + timedelta(days=1)
    made = Snapshot(volume.uuid, name="kept", expiry_time=expiry)
    made.post(poll_interval=1)
    with pytest.raises(NetAppRestError) as refused:
        made.delete(poll_interval=1)
    assert code_of(refused) == "1638555"


def test_a_snapshot_with_an_owner_cannot_be_deleted(volume, snapshot, only_emulator):
    only_emulator.control("PUT", f"/snapshots/{snapshot.uuid}/owners", {"owners": ["snapmirror"]})
    with pytest.raises(NetAppRestError) as refused:
        snapshot.delete(poll_interval=1)
    assert code_of(refused) == "1638543" and "snapmirror" in str(refused.value)
    only_emulator.control("PUT", f"/snapshots/{snapshot.uuid}/owners", {"owners": []})
    snapshot.delete(poll_interval=1)


def test_the_limit_of_snapshots_is_refused_with_its_code(volume, snapshot, only_emulator):
    only_emulator.control("PUT", "/limits", {"snapshots_per_volume": 1})
    try:
        with pytest.raises(NetAppRestError) as refused:
            Snapshot(volume.uuid, name="one_too_many").post(poll_interval=1)
        assert code_of(refused) == "525062"
    finally:
        only_emulator.control("PUT", "/limits", {"snapshots_per_volume": 1023})


def test_a_deleted_snapshot_is_gone_and_says_so(volume, snapshot):
    snapshot.delete(poll_interval=1)
    with pytest.raises(NetAppRestError) as refused:
        snapshot.delete(poll_interval=1)
    assert code_of(refused) == "1638600"


def test_many_snapshots_are_deleted_by_a_query(volume):
    for number in range(3):
        Snapshot(volume.uuid, name=f"old_{number}").post(poll_interval=1)
    Snapshot.delete_collection(volume.uuid, name="old_*", poll_interval=1)
    assert list(Snapshot.get_collection(volume.uuid)) == []


def test_restore_brings_the_files_back_and_removes_newer_snapshots(volume, snapshot, name, only_emulator):
    files = only_emulator.namespace / name
    (files / "since.txt").write_text("written since")
    Snapshot(volume.uuid, name="newer").post(poll_interval=1)
    Volume(uuid=volume.uuid).patch(poll_interval=1, **{"restore_to.snapshot.name": "first"})
    assert not (files / "since.txt").exists()
    assert [s.name for s in Snapshot.get_collection(volume.uuid)] == ["first"]


def test_a_snapshot_shows_the_files_as_they_were(volume, name, only_emulator):
    files = only_emulator.namespace / name
    (files / "a.txt").write_text("then")
    Snapshot(volume.uuid, name="then").post(poll_interval=1)
    (files / "a.txt").write_text("now")
    assert (files / ".snapshot" / "then" / "a.txt").read_text() == "then"


def test_snapshots_of_all_volumes_since_a_time_are_one_listing(volume):
    """What watchers of any number of datasets ask, and what the planner asks of one snapshot."""
    Snapshot(volume.uuid, name="seen_once").post(poll_interval=1)
    found = list(Snapshot.get_collection(volume.uuid, fields="create_time"))
    since = datetime.fromisoformat(str(found[0].create_time))
    for earlier, expected in ((timedelta(minutes=5), {"seen_once"}), (timedelta(minutes=-5), set())):
        asked = {"create_time": f">={(since - earlier).isoformat()}", "fields": "name,volume.name,svm.name"}
        assert {s.name for s in Snapshot.get_collection("*", name="seen_*", **asked)} == expected
    (delta,) = Snapshot.get_collection(volume.uuid, fields="delta", name="seen_once")
    assert int(delta.delta.size_consumed) == 0 and delta.delta.time_elapsed.startswith("PT")
