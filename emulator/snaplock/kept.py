"""SnapLock volumes, and their files that are kept until a date: written once, then neither changed nor removed."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from emulator import rules
from emulator.body import Accepts, moment
from emulator.fields import Shape, Wanted
from emulator.files import places
from emulator.snaplock import clocks, errors
from emulator.snaplock.periods import after, length, period
from emulator.store import Record
from emulator.svms import parts
from emulator.volumes import belongings, settings

if TYPE_CHECKING:
    from emulator.world import World

KIND = parts.belongs(belongings.belongs("snaplock_file"))
COMPLIANCE = "compliance"
PATCH_FIELDS: Accepts = {"expiry_time": moment, "retention_period": period}


def render(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    end = datetime.fromisoformat(record["expiry_time"])
    left = (end - world.clock.now()).total_seconds()
    volume = world.store.get("volume", record["volume"]) or {}
    return {
        "volume": {"uuid": record["volume"], "name": volume.get("name")},
        "svm": record["svm"],
        "file_path": f"/{record['path']}",
        "path": record["path"],
        "expiry_time": record["expiry_time"],
        "is_expired": left <= 0,
        "seconds_until_expiry": max(0, int(left)),
    }


FILE = Shape(
    href="/storage/snaplock/file/{volume.uuid}/{path}",
    keys=("volume.uuid", "file_path"),
    common=("volume.name", "svm.name", "svm.uuid", "expiry_time", "is_expired", "seconds_until_expiry"),
    costly=(),
    render=render,
)


def type_of(volume: Record) -> str:
    return (volume.get("options") or {}).get(settings.SNAPLOCK_TYPE, settings.NO_SNAPLOCK)


def check_volume(world: World, record: Record, given: dict[str, Any], *, new: bool) -> None:
    """A SnapLock volume needs the clock, its type stays, and its periods grow from least over default to most."""
    kind = type_of(record)
    if not new and settings.SNAPLOCK_TYPE in given and given[settings.SNAPLOCK_TYPE] != kind:
        raise errors.TypeStays()
    if kind == settings.NO_SNAPLOCK:
        if any(name.startswith("snaplock.retention.") for name in given):
            raise errors.NotSnapLock(record["name"])
        return
    if new:
        clocks.require(world, record["name"])
    shown = settings.shown(record)
    least, usual, most = (shown[f"snaplock.retention.{name}"] for name in ("minimum", "default", "maximum"))
    lengths = [length(each) for each in (least, usual, most)]
    if any(a is not None and b is not None and a > b for a, b in pairwise(lengths)):
        raise errors.RetentionOrder(least, usual, most)


def of_volume(world: World, volume: str) -> list[Record]:
    return world.store.find(KIND, volume=volume)


def unexpired(world: World, volume: Record, path: str) -> Record | None:
    """A file that is kept still: the one at a path of the volume, or one below it."""
    if type_of(volume) == settings.NO_SNAPLOCK:
        return None
    for record in of_volume(world, volume["uuid"]):
        there = record["path"] == path or record["path"].startswith(f"{path}/") or not path
        if there and datetime.fromisoformat(record["expiry_time"]) > world.clock.now():
            return record
    return None


def check_path(world: World, volume: Record, path: str) -> None:
    if record := unexpired(world, volume, path):
        raise errors.FileIsKept(record["path"], record["expiry_time"])


def keep(world: World, volume: Record, path: str, body: dict[str, Any]) -> Record:
    """Keep a file for a period or until a time; one that is kept already, at least as long as before."""
    if type_of(volume) == settings.NO_SNAPLOCK:
        raise errors.NotSnapLock(volume["name"])
    place = places.find(world, volume, path)
    if place.frozen or not place.at.is_file() or place.at.is_symlink():
        raise errors.NotWorm(path)
    until = _until(world, volume, body)
    old = next((record for record in of_volume(world, volume["uuid"]) if record["path"] == place.path), None)
    if old and datetime.fromisoformat(old["expiry_time"]) > datetime.fromisoformat(until):
        raise errors.RetentionShortened(place.path, old["expiry_time"])
    if old:
        return world.store.update(KIND, old["uuid"], expiry_time=until)
    facts = {"volume": volume["uuid"], "svm": volume["svm"], "path": place.path, "expiry_time": until}
    return world.store.insert(KIND, {"uuid": str(uuid4()), **facts})


def _until(world: World, volume: Record, body: dict[str, Any]) -> str:
    """The end that was asked for, within the least and the longest period that the volume has."""
    shown, now = settings.shown(volume), world.clock.now()
    asked = body.get("expiry_time")
    end = (
        datetime.fromisoformat(asked)
        if asked
        else after(now, body.get("retention_period") or shown["snaplock.retention.default"])
    )
    least = after(now, shown["snaplock.retention.minimum"])
    most = after(now, shown["snaplock.retention.maximum"])
    return world.clock.iso(min(max(end, least), most))


@rules.rule("delete")
def check_deletable(world: World, volume: Record) -> None:
    """Of compliance, nobody removes a volume while files in it are kept; of enterprise, its administrator may."""
    if type_of(volume) == COMPLIANCE and (record := unexpired(world, volume, "")):
        raise errors.HasUnexpiredFiles(volume["name"], record["expiry_time"])


@rules.rule("restore")
def check_restorable(world: World, volume: Record) -> None:
    if type_of(volume) == COMPLIANCE:
        raise errors.NoRestore(volume["name"])
