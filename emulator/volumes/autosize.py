"""Volumes that grow when they are nearly full, and shrink when they are nearly empty.

A directory tells nobody that it was written to, so the size follows when somebody looks at the volume. Objects are
taken up to the largest size that the volume may have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emulator.store import Record
from emulator.volumes import checks, settings
from emulator.volumes.places import shares

if TYPE_CHECKING:
    from emulator.world import World

_NAMES = ("mode", "maximum", "minimum", "grow_threshold", "shrink_threshold")


def is_on(record: Record) -> bool:
    return record["options"].get("autosize.mode", "off") != "off"


def room_for_files(record: Record) -> int:
    """Bytes of files that the volume may come to hold."""
    if not is_on(record):
        return settings.usable_bytes(record)
    return settings.usable_bytes(record | {"size": max(record["size"], _of(record)["maximum"])})


def settled(world: World, record: Record) -> Record:
    """The volume with the size that it has now; stored when it is another one than before."""
    if not is_on(record) or record["state"] != "online":
        return record
    size = _size(record, world.dataplane.used(record["uuid"]))
    size = min(size, record["size"] + _growth(world, record, size - record["size"]))
    if size == record["size"]:
        return record
    return world.store.update(checks.KIND, record["uuid"], size=size)


def _of(record: Record) -> dict[str, Any]:
    found = settings.shown(record, [f"autosize.{name}" for name in _NAMES])
    return {name.removeprefix("autosize."): value for name, value in found.items()}


def _size(record: Record, used: int) -> int:
    """What the size becomes: so large that the fill lies half-way between both thresholds, within the limits."""
    limits, usable = _of(record), settings.usable_bytes(record)
    aim = (limits["grow_threshold"] + limits["shrink_threshold"]) / 200
    wanted = int(used / aim * record["size"] / usable) + 1 if usable else record["size"]
    if used * 100 > limits["grow_threshold"] * usable:
        return max(record["size"], min(wanted, limits["maximum"]))
    if limits["mode"] == "grow_shrink" and used * 100 < limits["shrink_threshold"] * usable:
        return min(record["size"], max(wanted, limits["minimum"], checks.MINIMUM_SIZE))
    return record["size"]


def _growth(world: World, record: Record, wanted: int) -> int:
    """As much of a growth as the aggregates have room for."""
    if wanted <= 0:
        return wanted
    fits = [checks.aggregate_room(world, record, name) / share for name, share in shares(record, wanted).items()]
    return int(wanted * min([1.0, *fits]))
