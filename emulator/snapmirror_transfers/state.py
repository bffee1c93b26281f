"""Transfers of a mirror: each has a record, no job, and is shown for a day after its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from emulator.body import Accepts, flag, text
from emulator.clock import iso_duration
from emulator.fields import Shape, Wanted
from emulator.snapmirror_transfers import records
from emulator.snapmirror_transfers.records import duration_s
from emulator.store import Record
from emulator.svms import parts
from emulator.values import between, one_of

if TYPE_CHECKING:
    from emulator.world import World

KIND = parts.belongs(records.KIND)
OPEN = records.OPEN

POST_FIELDS: Accepts = {
    "source_snapshot": text,
    "throttle": between(0, 125_000_000),
    "storage_efficiency_enabled": flag,
}
PATCH_FIELDS: Accepts = {"state": one_of("aborted", "hard_aborted")}


def render(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    relationship = world.store.get("snapmirror", record["relationship"])
    shown = {key: record[key] for key in ("uuid", "state", "throttle", "end_time", "error_info", "snapshot")}
    destination = relationship["destination"] if relationship else None
    return shown | {
        "bytes_transferred": record["bytes"],
        "checkpoint_size": record["bytes"] if record["state"] != "hard_aborted" else 0,
        "total_duration": iso_duration(int(duration_s(record))),
        "last_updated_time": record["updated"],
        "relationship": {
            "uuid": record["relationship"],
            "destination": {"path": destination},
            "restore": False,
        },
    }


TRANSFER = Shape(
    href="/snapmirror/relationships/{relationship.uuid}/transfers/{uuid}",
    keys=("uuid", "state"),
    common=("bytes_transferred", "checkpoint_size", "total_duration", "end_time", "throttle", "snapshot")
    + ("last_updated_time", "relationship.uuid", "relationship.destination.path", "relationship.restore")
    + ("error_info.message", "error_info.code"),
    costly=(),
    render=render,
)


def new(world: World, relationship: Record, kind: str, **facts: Any) -> Record:
    """A record; not stored yet. ``take`` is the name of the snapshot that it begins with at the source."""
    uuid = str(uuid4())
    record = {
        "uuid": uuid,
        "relationship": relationship["uuid"],
        "svm": relationship["svm"],
        "kind": kind,
        "state": "queued",
        "bytes": 0,
        "throttle": relationship["throttle"],
        "snapshot": None,
        "error_info": None,
        "begun": None,
        "ended": None,
        "end_time": None,
        "updated": world.clock.iso(),
        "abort": None,
        "preserve": False,
        "source_snapshot": None,
        "take": None,
    }
    return record | facts


def of(world: World, relationship: str) -> list[Record]:
    return records.of(world.store, relationship)


def running(world: World, relationship: str) -> Record | None:
    """The transfer that is queued or under way."""
    return next((each for each in of(world, relationship) if each["state"] in OPEN), None)


__all__ = ["KIND", "OPEN", "TRANSFER", "duration_s", "new", "of", "running"]
