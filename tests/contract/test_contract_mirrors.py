"""The official client on two clusters: peers, SnapMirror policies, relationships and transfers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from netapp_ontap import HostConnection
from netapp_ontap.error import NetAppRestError
from netapp_ontap.resources import (
    ClusterPeer,
    IpInterface,
    SnapmirrorPolicy,
    SnapmirrorRelationship,
    SnapmirrorTransfer,
    Snapshot,
    SvmPeer,
    Volume,
)

from tests.conftest import Emulator, unpeer
from tests.until import until


def login(emulator: Emulator) -> HostConnection:
    return HostConnection(emulator.host, username="admin", password=emulator.password, port=emulator.port)


@pytest.fixture
def ends(
    emulator: Emulator, other_emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[HostConnection, HostConnection]]:
    """Two clusters that do not know each other."""
    authorities = tmp_path / "authorities.pem"
    authorities.write_text("".join(Path(each.ca or "").read_text() for each in (emulator, other_emulator)))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authorities))
    unpeer(emulator, other_emulator)
    yield login(emulator), login(other_emulator)
    unpeer(emulator, other_emulator)


def address(connection: HostConnection) -> str:
    query = {"services": "intercluster_core", "fields": "ip.address"}
    (found,) = IpInterface.get_collection(connection=connection, **query)
    return found.ip.address


def made(resource: Any, connection: HostConnection, **arguments: Any) -> Any:
    resource.set_connection(connection)
    resource.post(hydrate=True, poll_interval=0.1, **arguments)
    return resource


def peered(here: HostConnection, there: HostConnection) -> None:
    offer = ClusterPeer(remote={"ip_addresses": [address(there)]}, authentication={"generate_passphrase": True})
    offer.set_connection(here)
    answer = offer.post().http_response.json()["records"][0]
    taken = ClusterPeer(
        remote={"ip_addresses": [address(here)]},
        authentication={"passphrase": answer["authentication"]["passphrase"]},
    )
    taken.set_connection(there)
    taken.post()
    (known,) = ClusterPeer.get_collection(connection=here, fields="*")
    assert (known.status.state, known.authentication.state) == ("available", "ok")
    wish = SvmPeer(svm={"name": "svm1"}, peer={"svm": {"name": "svm2"}, "cluster": {"name": known.name}})
    wish.applications = ["snapmirror"]
    wish.set_connection(here)
    wish.post()
    (pending,) = SvmPeer.get_collection(connection=there, fields="*")
    assert pending.state == "pending"
    pending.state = "peered"
    pending.patch()
    (mine,) = SvmPeer.get_collection(connection=here, fields="*")
    assert (mine.state, mine.peer.svm.name, mine.peer.cluster.name) == ("peered", "svm2", "there")


def volume(connection: HostConnection, svm: str, name: str, **other: Any) -> Volume:
    facts = {"name": name, "svm": {"name": svm}, "aggregates": [{"name": "aggr1"}], "size": 1 << 30, **other}
    return made(Volume.from_dict(facts), connection)


def ended(transfer: SnapmirrorTransfer) -> SnapmirrorTransfer:
    def state() -> str:
        transfer.get(fields="*")
        return str(transfer.state)

    until(lambda: state() not in ("queued", "transferring"), state)
    return transfer


def state_of(relationship: SnapmirrorRelationship, wanted: str) -> SnapmirrorRelationship:
    def state() -> str:
        relationship.get(fields="*")
        return str(relationship.state)

    until(lambda: state() == wanted, state)
    return relationship


def test_a_volume_is_mirrored_broken_off_and_resynced(ends, emulator, other_emulator):
    here, there = ends
    peered(here, there)
    source = volume(here, "svm1", "data", nas={"path": "/data"})
    (emulator.namespace / "data" / "one").write_bytes(b"one")
    made(Snapshot.from_dict({"name": "v1", "comment": "facts"}, source.uuid), here)

    body = {"source": {"path": "svm1:data"}, "destination": {"path": "svm2:copy"}, "state": "snapmirrored"}
    body |= {"policy": {"name": "MirrorAllSnapshots"}, "create_destination": {"enabled": True}}
    begun = SnapmirrorRelationship.from_dict(body)
    begun.set_connection(there)
    begun.post(poll_interval=0.1)
    (mirror,) = SnapmirrorRelationship.get_collection(connection=there, **{"destination.path": "svm2:copy"})
    state_of(mirror, "snapmirrored")
    assert (mirror.healthy, mirror.policy.name, mirror.source.cluster.name) == (True, "MirrorAllSnapshots", "emulator")
    assert mirror.lag_time.startswith("PT")
    (copy,) = Volume.get_collection(connection=there, name="copy", fields="type")
    assert copy.type == "dp"
    (frozen,) = Snapshot.get_collection(copy.uuid, connection=there, name="v1", fields="*")
    (original,) = Snapshot.get_collection(source.uuid, connection=here, name="v1", fields="*")
    assert (frozen.comment, frozen.version_uuid) == (original.comment, original.version_uuid)
    assert frozen.provenance_volume.uuid == source.uuid

    (emulator.namespace / "data" / "two").write_bytes(b"2" * 100)
    transfer = SnapmirrorTransfer(mirror.uuid)
    transfer.set_connection(there)
    answer = transfer.post().http_response
    assert (answer.status_code, "job" in answer.text) == (201, False)
    transfer.uuid = answer.headers["Location"].rsplit("/", 1)[1]
    assert (ended(transfer).state, transfer.bytes_transferred) == ("success", 100)
    assert [each.uuid for each in SnapmirrorTransfer.get_collection(mirror.uuid, connection=there)][-1] == transfer.uuid

    mirror.state = "broken_off"
    mirror.patch(poll_interval=0.1)
    copy.get(fields="type")
    assert copy.type == "rw"
    with pytest.raises(NetAppRestError, match="broken_off"):
        _posted(mirror.uuid, there)
    mirror.state = "snapmirrored"
    mirror.patch(poll_interval=0.1)
    state_of(mirror, "snapmirrored")

    known = SnapmirrorRelationship.get_collection(connection=here, list_destinations_only=True, fields="*")
    assert [(each.uuid, each.destination.path) for each in known] == [(mirror.uuid, "svm2:copy")]
    mirror.delete(poll_interval=0.1)
    assert list(SnapmirrorRelationship.get_collection(connection=there)) == []


def _posted(relationship: str, connection: HostConnection) -> None:
    transfer = SnapmirrorTransfer(relationship)
    transfer.set_connection(connection)
    transfer.post()


def test_policies_are_made_changed_and_deleted(ends):
    here, _ = ends
    facts = {"name": "kept", "retention": [{"label": "daily", "count": "3"}], "transfer_schedule": {"name": "hourly"}}
    policy = made(SnapmirrorPolicy.from_dict(facts), here)
    policy.get(fields="*")
    assert [(rule.label, int(rule.count)) for rule in policy.retention] == [("daily", 3)]
    policy.comment = "ours"
    policy.patch()
    (found,) = SnapmirrorPolicy.get_collection(connection=here, name="kept", fields="comment,transfer_schedule")
    assert (found.comment, found.transfer_schedule.name) == ("ours", "hourly")
    policy.delete()
    assert list(SnapmirrorPolicy.get_collection(connection=here, name="kept")) == []


def test_a_transfer_is_aborted(ends, emulator, other_emulator):
    here, there = ends
    peered(here, there)
    volume(here, "svm1", "data")
    volume(there, "svm2", "copy", type="dp")
    body = {"source": {"path": "svm1:data"}, "destination": {"path": "svm2:copy"}}
    mirror = SnapmirrorRelationship.from_dict(body)
    mirror.set_connection(there)
    mirror.post(poll_interval=0.1)
    (mirror,) = SnapmirrorRelationship.get_collection(connection=there, fields="state,policy")
    assert (mirror.state, mirror.policy.name) == ("uninitialized", "Asynchronous")
    other_emulator.control("PUT", "/jobs", {"mode": "seconds", "value": 3600})
    transfer = SnapmirrorTransfer(mirror.uuid)
    transfer.set_connection(there)
    transfer.post(hydrate=True)
    assert transfer.state == "queued"
    transfer.state = "aborted"
    transfer.patch()
    other_emulator.control("PUT", "/jobs", {"mode": "immediate"})
    assert ended(transfer).state == "aborted"
