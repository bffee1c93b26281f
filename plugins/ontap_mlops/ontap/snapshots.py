"""Snapshots of one volume: made once by name, listed in full, removed with every "busy" explained."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ontap_mlops.ontap import volumes
from ontap_mlops.ontap.client import Client, repeatable
from ontap_mlops.ontap.errors import (
    Busy,
    JobStillRunning,
    NameTaken,
    NotFound,
    SnapshotLimit,
    SpaceFull,
)

LIMIT = 1023
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_FIELDS = (
    "uuid,name,create_time,comment,state,owners,expiry_time,snaplock_expiry_time,size,logical_size,snapmirror_label,"
    "version_uuid"
)


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Times are ISO 8601 by ONTAP's clock; what ONTAP did not tell is None or empty."""

    uuid: str
    name: str
    volume_uuid: str
    created_at: str = ""
    comment: str = ""
    state: str | None = None
    owners: tuple[str, ...] = ()
    expires_at: str | None = None
    locked_until: str | None = None
    size_bytes: int | None = None
    logical_bytes: int | None = None
    label: str = ""
    version_uuid: str = ""
    """The same for a snapshot and for the copies that mirrors make of it; ``uuid`` is each one's own."""

    def locked(self, now: datetime) -> str | None:
        """Say in words until when nobody can remove it; None for a snapshot without a lock, or whose lock is over."""
        if not self.locked_until or datetime.fromisoformat(self.locked_until) <= now:
            return None
        return f"it is locked until {self.locked_until}"


def list_snapshots(
    client: Client, *, volume_uuid: str, name: str | None = None, label: str | None = None
) -> list[Snapshot]:
    """Return the snapshots, oldest first. ``name`` may hold ``*``; ``label`` is the SnapMirror label."""
    query = ({"name": name} if name else {}) | ({"snapmirror_label": label} if label else {})
    asked = f"list snapshots of volume {volume_uuid}"
    found = client.records("Snapshot", volume_uuid, asked=asked, fields=_FIELDS, **query)
    return sorted((of_record(record, volume_uuid) for record in found), key=_age)


def list_on_svm(client: Client, *, svm: str) -> list[Snapshot]:
    """Return the snapshots of all volumes of an SVM, oldest first."""
    fields, asked = f"{_FIELDS},volume.uuid", f"list the snapshots of all volumes of SVM {svm!r}"
    found = client.records("Snapshot", "*", asked=asked, fields=fields, **{"svm.name": svm})
    return sorted((of_record(record, record["volume"]["uuid"]) for record in found), key=_age)


def list_of_volume(client: Client, *, svm: str, volume: str) -> list[Snapshot]:
    """Return the snapshots of a volume by its name, oldest first, in one request; none where it does not exist."""
    fields, asked = f"{_FIELDS},volume.uuid", f"list the snapshots of volume {svm}:{volume}"
    query = {"svm.name": svm, "volume.name": volume}
    found = client.records("Snapshot", "*", asked=asked, fields=fields, **query)
    return sorted((of_record(record, record["volume"]["uuid"]) for record in found), key=_age)


def counts(client: Client, *, svm: str) -> dict[str, int]:
    """Return how many snapshots each volume of an SVM has, by its name; those that have some."""
    asked = f"count the snapshots of the volumes of SVM {svm!r}"
    found = client.records("Volume", asked=asked, fields="name,snapshot_count", **{"svm.name": svm})
    return {each["name"]: int(each["snapshot_count"]) for each in found if each.get("snapshot_count")}


def find(client: Client, *, volume_uuid: str, name: str) -> Snapshot | None:
    found = list_snapshots(client, volume_uuid=volume_uuid, name=name)
    return next((snapshot for snapshot in found if snapshot.name == name), None)


def get(client: Client, *, volume_uuid: str, name: str) -> Snapshot:
    snapshot = find(client, volume_uuid=volume_uuid, name=name)
    if snapshot is None:
        raise NotFound(f"Volume {volume_uuid} has no snapshot {name!r}. Check the name; it may have been removed.")
    return snapshot


def count(client: Client, *, volume_uuid: str) -> int:
    """Count the snapshots, of which a volume can hold 1,023."""
    asked = f"count snapshots of volume {volume_uuid}"
    return len(client.records("Snapshot", volume_uuid, asked=asked, fields="name"))


@repeatable
def ensure(client: Client, *, volume_uuid: str, name: str, comment: str, label: str | None = None) -> Snapshot:
    """Return the snapshot of this name, made now or by an earlier try.

    :param comment: at most 255 characters; a snapshot of this name with another comment is somebody else's.
    :param label: SnapMirror label, which mirror policies select by.
    """
    snapshot = find(client, volume_uuid=volume_uuid, name=name)
    if snapshot is None:
        _create(client, volume_uuid, name, {"comment": comment} | ({"snapmirror_label": label} if label else {}))
        snapshot = find(client, volume_uuid=volume_uuid, name=name)
    if snapshot is None:
        raise JobStillRunning(f"Snapshot {name!r} of volume {volume_uuid} was asked for but is not there. Try again.")
    if snapshot.comment != comment:
        raise NameTaken(
            f"Snapshot {name!r} of volume {volume_uuid} exists with another comment, {snapshot.comment!r} and not "
            f"{comment!r}, so it is not what was asked for. {NameTaken.advice}.",
            code="525059",
        )
    return snapshot


@repeatable
def delete(client: Client, *, volume_uuid: str, name: str) -> bool:
    """Remove it; False if it was gone already. Raises Busy or Locked naming the clone, owner or lock that holds it."""
    snapshot = find(client, volume_uuid=volume_uuid, name=name)
    if snapshot is None:
        return False
    asked = f"remove snapshot {name!r} of volume {volume_uuid}"
    try:
        client.remove("Snapshot", {"uuid": snapshot.uuid}, volume_uuid, asked=asked)
    except NotFound:
        return False
    except Busy as error:
        raise _explained(client, snapshot, error) from error
    return True


@repeatable
def restore(client: Client, *, volume_uuid: str, name: str) -> Snapshot:
    """Put the volume back to this snapshot; what was written since is lost, and newer snapshots go with it.

    ``restoring.to_snapshot`` loses neither.
    """
    snapshot = get(client, volume_uuid=volume_uuid, name=name)
    asked = f"restore volume {volume_uuid} to snapshot {name!r}"
    query: dict[str, Any] = {"restore_to.snapshot.name": name}
    client.modify("Volume", {"uuid": volume_uuid}, {}, asked=asked, **query)
    return snapshot


def changed_since(client: Client, *, snapshot: Snapshot) -> int:
    """Return how many bytes of the volume differ now from the snapshot, as ONTAP counts its blocks."""
    asked = f"read what has changed since snapshot {snapshot.name!r} of volume {snapshot.volume_uuid}"
    key, parent = {"uuid": snapshot.uuid}, snapshot.volume_uuid
    record = client.record("Snapshot", key, parent, asked=asked, fields="uuid,delta.size_consumed")
    return int((record.get("delta") or {}).get("size_consumed") or 0)


def holders(client: Client, *, snapshot: Snapshot) -> list[str]:
    """Say in words what keeps the snapshot from being removed; empty if nothing is known to."""
    return held_by(snapshot, volumes.clones_of(client, volume_uuid=snapshot.volume_uuid, snapshot=snapshot.name))


def held_by(snapshot: Snapshot, clones: list[volumes.Volume], now: datetime = _LONG_AGO) -> list[str]:
    """Say in words what keeps the snapshot from being removed, of which these are the clones.

    :param now: by ONTAP's clock, for locks that are over; without it any counts.
    """
    held = [f"clone {clone.name!r} of SVM {clone.svm!r} is based on it" for clone in clones]
    # A clone shows up as an owner too, without its name.
    held += [f"{owner!r} owns it" for owner in snapshot.owners if not (clones and "clone" in owner)]
    return held + ([locked] if (locked := snapshot.locked(now)) else [])


def of_record(record: dict[str, Any], volume_uuid: str) -> Snapshot:
    """Read ONTAP's record of a snapshot, as far as it tells."""
    return Snapshot(
        uuid=record["uuid"],
        name=record.get("name", ""),
        volume_uuid=volume_uuid,
        created_at=record.get("create_time") or "",
        comment=record.get("comment") or "",
        state=record.get("state"),
        owners=tuple(record.get("owners") or ()),
        expires_at=record.get("expiry_time"),
        locked_until=(record.get("snaplock") or {}).get("expiry_time") or record.get("snaplock_expiry_time"),
        size_bytes=record.get("size"),
        logical_bytes=record.get("logical_size"),
        label=record.get("snapmirror_label") or "",
        version_uuid=record.get("version_uuid") or "",
    )


def _create(client: Client, volume_uuid: str, name: str, facts: dict[str, Any]) -> None:
    try:
        client.create(
            "Snapshot", {"name": name, **facts}, volume_uuid, asked=f"create snapshot {name!r} of volume {volume_uuid}"
        )
    except NameTaken:
        return  # perhaps by our own earlier try: the caller looks and compares
    except (SnapshotLimit, SpaceFull) as error:
        there = count(client, volume_uuid=volume_uuid)
        error.args = (f"{error} The volume has {there} snapshots; the limit is {LIMIT:,}.",)
        raise


def _explained(client: Client, snapshot: Snapshot, error: Busy) -> Busy:
    held = holders(client, snapshot=snapshot)
    if not held:
        return error
    return type(error)(
        f"Snapshot {snapshot.name!r} of volume {snapshot.volume_uuid} cannot be removed: {'; '.join(held)}. "
        f"{type(error).advice}.",
        code=error.code,
        target=error.target,
        http_status=error.http_status,
    )


def _age(snapshot: Snapshot) -> tuple[datetime, str]:
    # Compared as times, not as text: the UTC offset in ONTAP's answers changes with its time zone.
    at = datetime.fromisoformat(snapshot.created_at) if snapshot.created_at else _LONG_AGO
    return at, snapshot.name
