"""Snapshots: what can be read and set, how one is taken, and what keeps one from being removed."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from emulator.body import Accepts, moment, text
from emulator.fields import Shape, Wanted
from emulator.jobs import operation
from emulator.snapshots import deltas, errors
from emulator.store import Record

if TYPE_CHECKING:
    from emulator.world import World

KIND = "snapshot"
LIMIT = 1023
MAXIMUM_COMMENT = 255
RESERVED_PREFIXES = ("snapmirror.", "vserverdr.")


def comment(value: Any) -> str:
    if len(text(value)) > MAXIMUM_COMMENT:
        raise ValueError(f"at most {MAXIMUM_COMMENT} characters")
    return value


def label(value: Any) -> str:
    if not 1 <= len(text(value)) <= 31:
        raise ValueError("1 to 31 characters")
    return value


PATCH_FIELDS: Accepts = {
    "name": text,
    "comment": comment,
    "snapmirror_label": label,
    "expiry_time": moment,
    "snaplock_expiry_time": moment,
    "snaplock.expiry_time": moment,
}
POST_FIELDS: Accepts = PATCH_FIELDS | {"svm.name": text, "svm.uuid": text, "volume.name": text, "volume.uuid": text}


def render(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    shown = {key: record[key] for key in ("uuid", "name", "svm", "create_time", "comment", "size", "version_uuid")}
    volume = (
        world.store.derived(("volume", record["volume"]), lambda: world.store.get("volume", record["volume"]))
        if wanted.has("volume.name")
        else None
    )
    return shown | {
        "volume": {"uuid": record["volume"], "name": volume["name"] if volume else None},
        "provenance_volume": {"uuid": record.get("provenance") or record["volume"]},
        "state": "valid",
        "owners": _owners(world, record) if wanted.has("owners") else None,
        "snapmirror_label": record["label"],
        "expiry_time": record["expiry_time"],
        "snaplock_expiry_time": record["lock_until"],
        "snaplock": {
            "expiry_time": record["lock_until"],
            "expired": not is_locked(world, record) if record["lock_until"] else None,
        },
        "logical_size": record["size"],
        "reclaimable_space": record["size"],
        "delta": deltas.delta(world, record) if wanted.has("delta") else None,
    }


def _owners(world: World, record: Record) -> list[str] | None:
    """Absent, as ONTAP has it, when nobody owns the snapshot; a clone shows itself as ``volume_clone``."""
    from emulator.volumes.checks import cloned_snapshots

    clones = ["volume_clone"] if record["uuid"] in cloned_snapshots(world) else []
    return [*record["owners"], *clones] or None


SNAPSHOT = Shape(
    href="/storage/volumes/{volume.uuid}/snapshots/{uuid}",
    keys=("uuid", "name", "volume.uuid"),
    common=("volume.name", "svm.name", "svm.uuid", "create_time", "comment", "size", "state", "owners")
    + ("snapmirror_label", "expiry_time", "snaplock_expiry_time", "snaplock.expiry_time", "snaplock.expired")
    + ("version_uuid", "provenance_volume.uuid", "logical_size"),
    costly=("reclaimable_space", "delta.size_consumed", "delta.time_elapsed"),
    render=render,
    stored={"uuid": "uuid", "name": "name", "volume.uuid": "volume", "create_time": "create_time"},
)


def check_name(world: World, name: str, volume: Record) -> None:
    for prefix in RESERVED_PREFIXES:
        if name.startswith(prefix):
            raise errors.ReservedPrefix(name, prefix)
    if not re.fullmatch(r"[\w.:@+=,~-]{1,255}", name, re.ASCII) or name in (".", ".."):
        raise errors.BadName(name)
    if world.store.find(KIND, volume=volume["uuid"], name=name):
        raise errors.NameTaken(name, volume["name"])


def check_limit(world: World, volume: Record) -> None:
    limit = world.config.snapshot_limit
    if world.store.count(KIND, volume=volume["uuid"]) >= limit:
        raise errors.LimitReached(volume["name"], limit)


def named(world: World, volume: Record, name: str | None, uuid: str | None) -> Record | None:
    """The snapshot of the volume with this uuid, or else this name."""
    if uuid:
        record = world.store.get(KIND, uuid)
        return record if record and record["volume"] == volume["uuid"] else None
    return next(iter(world.store.find(KIND, volume=volume["uuid"], name=name)), None)


def newer_than(world: World, snapshot: Record) -> list[Record]:
    found = world.store.find(KIND, volume=snapshot["volume"])
    return [record for record in found if record["_seq"] > snapshot["_seq"]]


def take(world: World, volume: Record, facts: dict[str, Any], *, reserved: bool = False) -> None:
    """Freeze a volume. ``facts`` has uuid and name, and what else the request said.

    A name that begins as only ONTAP's own do is taken where it is ``reserved``.
    """
    from emulator.volumes.settings import usable_bytes

    with world.dataplane.lock(volume["uuid"]):
        if not reserved:
            check_name(world, facts["name"], volume)
        check_limit(world, volume)
        if volume["state"] != "online" or world.dataplane.used(volume["uuid"]) > usable_bytes(volume):
            raise errors.NotReady(volume["name"])
        begun = world.clock.iso()
        size = world.dataplane.create_snapshot(volume["uuid"], facts["uuid"], facts["name"])
        record = {
            "comment": "",
            "label": None,
            "expiry_time": None,
            "lock_until": None,
            "owners": [],
            "volume": volume["uuid"],
            "svm": volume["svm"],
            "create_time": begun,
            "size": size,
            "version_uuid": str(uuid4()),
        }
        world.store.insert(KIND, record | facts)


def facts_of(world: World, body: dict[str, Any], volume: Record, old: Record | None = None) -> dict[str, Any]:
    """The fields of a request as they lie in the record. A lock is ignored, silently, where locking is off."""
    from emulator.snaplock import locking

    facts: dict[str, Any] = {key: body[key] for key in ("name", "comment", "expiry_time") if key in body}
    if facts.get("name", "") is None:
        del facts["name"]
    if "snapmirror_label" in body:
        facts["label"] = body["snapmirror_label"]
    lock = body.get("snaplock_expiry_time") or (body.get("snaplock") or {}).get("expiry_time")
    if lock and volume["locking"]:
        locking.check_lock(world, old, lock)
        facts["lock_until"] = lock
    return facts


def is_locked(world: World, record: Record) -> bool:
    return _future(world, record["lock_until"])


def _future(world: World, time: str | None) -> bool:
    return time is not None and datetime.fromisoformat(time) > world.clock.now()


def check_removable(world: World, volume: Record, record: Record) -> None:
    """1638543 with an owner, 1638555 while locked or not expired."""
    if record["owners"]:
        raise errors.HasOwner(record["name"], volume["name"], record["owners"])
    for until in (record["lock_until"], record["expiry_time"]):
        if _future(world, until):
            raise errors.Locked(record["name"], volume["name"], str(until))


def check_not_busy(world: World, volume: Record, record: Record) -> None:
    from emulator.volumes.checks import clones_of

    if clones := clones_of(world, volume["uuid"], record["uuid"]):
        raise errors.Busy(record["name"], volume["name"], volume["svm"]["name"], clones)


def remove(world: World, volume: Record, record: Record) -> None:
    with world.store.transaction():
        check_not_busy(world, volume, record)
        world.store.delete(KIND, record["uuid"])
    world.dataplane.delete_snapshot(volume["uuid"], record["uuid"], record["name"])


@operation("snapshot.create")
def create(world: World, args: dict[str, Any]) -> None:
    if world.store.get(KIND, args["facts"]["uuid"]):
        return
    volume = world.store.get("volume", args["volume"])
    if volume is None:
        raise errors.NoSuchSnapshot(args["facts"]["name"], args["volume"])
    take(world, volume, args["facts"])


@operation("snapshot.modify")
def modify(world: World, args: dict[str, Any]) -> None:
    with world.dataplane.lock(args["volume"]):
        volume, record = world.store.get("volume", args["volume"]), world.store.get(KIND, args["uuid"])
        if volume is None or record is None:
            raise errors.NoSuchSnapshot(args["uuid"], args["volume"])
        new = args["facts"].get("name", record["name"])
        if new != record["name"]:
            check_name(world, new, volume)
            world.dataplane.rename_snapshot(volume["uuid"], record["name"], new)
        world.store.update(KIND, record["uuid"], **args["facts"])


@operation("snapshot.delete")
def delete(world: World, args: dict[str, Any]) -> None:
    with world.dataplane.lock(args["volume"]):
        volume, record = world.store.get("volume", args["volume"]), world.store.get(KIND, args["uuid"])
        if volume is None or record is None:
            return
        check_removable(world, volume, record)
        remove(world, volume, record)
