"""The rules that names, sizes and space of volumes keep, and what stands on a volume."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from emulator import rules
from emulator.aggregates.state import used_bytes
from emulator.store import Record
from emulator.volumes import errors, settings
from emulator.volumes.places import shares

if TYPE_CHECKING:
    from emulator.world import World

KIND = "volume"
DEFAULT_SIZE = 20 * 1024**2
MINIMUM_SIZE = 20 * 1024**2
MAXIMUM_NAME = 203


def owner_kept(nas: dict[str, Any]) -> dict[str, int]:
    """Owner and group that a request names, as far as the record must keep them.

    The directory itself has them where the emulator runs as root; elsewhere it cannot.
    """
    if os.geteuid() == 0:
        return {}
    return {key: nas[key] for key in ("uid", "gid") if nas.get(key) is not None}


def check_name(world: World, name: str, svm: dict[str, str]) -> None:
    if len(name) > MAXIMUM_NAME:
        raise errors.NameTooLong(name)
    if not re.match(r"[A-Za-z_]", name):
        raise errors.NameBadStart(name)
    if not re.fullmatch(r"\w+", name, re.ASCII):
        raise errors.NameBadCharacter(name)
    if world.store.find(KIND, svm__uuid=svm["uuid"], name=name):
        raise errors.NameTaken(name, svm["name"])


def check_size(wanted: int) -> None:
    if wanted < MINIMUM_SIZE:
        raise errors.TooSmall(wanted, MINIMUM_SIZE)
    if wanted > settings.MAXIMUM_SIZE:
        raise errors.SizeTooLarge(wanted, settings.MAXIMUM_SIZE)


def check_aggregate_room(world: World, record: Record, more: int) -> None:
    """Refuse what does not fit; only volumes with guarantee ``volume`` reserve space, but none may exceed it all."""
    for name, share in shares(record, more).items():
        available = aggregate_room(world, record, name)
        if share > available:
            raise errors.AggregateFull(record["name"], name, share, available)


def aggregate_room(world: World, record: Record, name: str) -> int:
    """Bytes that a volume may take of an aggregate beyond what is reserved there."""
    aggregate = world.store.find("aggregate", name=name)[0]
    reserved = used_bytes(world, aggregate) if record["guarantee"] == "volume" else 0
    return max(0, aggregate["size"] - reserved)


def check_room(world: World, record: Record) -> None:
    """Refuse when more is in the volume than has room: a directory cannot refuse the write that overfills it."""
    if world.dataplane.used(record["uuid"]) > settings.usable_bytes(record):
        raise errors.VolumeFull(record["name"])


def clones_of(world: World, volume: str, snapshot: str | None = None) -> list[str]:
    """Names of the clones of a volume (uuid), or of one snapshot of it, with those that are being made."""
    of = {"clone__parent": volume} if snapshot is None else {"clone__snapshot": snapshot}
    names = [clone["name"] for clone in world.store.find(KIND, **of)]
    for job in world.jobs.open_jobs():
        args = job["args"]
        if job["operation"] == "volume.clone" and args["parent"] == volume and snapshot in (None, args["snapshot"]):
            names.append(args["record"]["name"])
    return list(dict.fromkeys(names))


def cloned_snapshots(world: World) -> set[str]:
    """UUIDs of all snapshots that have clones, with those that are being made."""

    def found() -> set[str]:
        making = (job["args"]["snapshot"] for job in world.jobs.open_jobs() if job["operation"] == "volume.clone")
        return {value for value in world.store.column(KIND, "clone.snapshot").values() if value} | set(making)

    return world.store.derived("cloned snapshots", found)


@rules.rule("read", "write")
def online_only(world: Any, volume: Record) -> None:
    """Nobody reads or writes the files of a volume that is offline, by whatever protocol."""
    if volume["state"] != "online":
        raise errors.VolumeOffline(volume["name"])
