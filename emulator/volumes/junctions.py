"""Where volumes are mounted: which paths are allowed, what lies inside what, and the links that show it on disk."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

from emulator.errors import OntapError
from emulator.namespace import Blocked, Place
from emulator.store import Record
from emulator.volumes import errors

if TYPE_CHECKING:
    from emulator.world import World

KIND = "volume"
ROOT = "/"
MAXIMUM_PATH = 255
# ONTAP allows none of these in a junction path; control characters would not survive a mount command either.
_FORBIDDEN = re.compile(r'[*#"><|?\\\x00-\x1f\x7f]')
_RESERVED = (".", "..", ".snapshot")

log = logging.getLogger(__name__)


def check(world: World, record: Record, path: str, others: list[Record] | None = None) -> None:
    """Refuse a path at which this volume could not be mounted; nothing is changed. The record need not be stored yet.

    ``others`` are the volumes to be regarded; without it, all that have a path.
    918252 for a path that cannot be, lies below an unmounted volume, above a mounted one, or is something else on disk
    already; 1 when another volume is mounted there.
    """
    _check_form(path)
    paths = _paths(world, record) if others is None else {other["uuid"]: other["junction"] for other in others}
    for uuid, there in paths.items():
        if there.lower() == path.lower():
            raise errors.PathTaken(path, _name(world, uuid))
        if there.startswith(path + "/"):
            raise errors.BadPath(path, f'volume "{_name(world, uuid)}" is mounted below it, at "{there}"')
    parent = parent_of(world, record, path)
    if parent and parent["state"] != "online":
        raise errors.BadPath(path, f'volume "{parent["name"]}", which it lies in, is offline')
    try:
        world.dataplane.namespace.check(_place(record, path, parent), record["uuid"])
    except Blocked as reason:
        raise errors.BadPath(path, str(reason)) from reason


def _check_form(path: str) -> None:
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise errors.BadPath(ascii(path), "it cannot be written in UTF-8") from error
    if not re.fullmatch(r"(/[^/]+)+", path, re.DOTALL):
        raise errors.BadPath(path, "it must begin with /, name a folder, and not end with /")
    if len(path) > MAXIMUM_PATH:
        raise errors.BadPath(path[:40] + "...", f"it has {len(path)} characters, more than {MAXIMUM_PATH}")
    if any(part in _RESERVED for part in path.split("/")):
        raise errors.BadPath(path, f"no part of it may be {', '.join(_RESERVED)}")
    if _FORBIDDEN.search(path):
        raise errors.BadPath(path, 'it may have no control characters and none of * # " > < | ? \\')


def _paths(world: World, record: Record) -> dict[str, str]:
    """Junction paths of the other volumes of its SVM by uuid, without that of the root volume."""
    found = world.store.column(KIND, "junction", svm__uuid=record["svm"]["uuid"])
    return {uuid: path for uuid, path in found.items() if path and path != ROOT and uuid != record["uuid"]}


def _name(world: World, uuid: str) -> str:
    record = world.store.get(KIND, uuid)
    return record["name"] if record else uuid


def parent_of(world: World, record: Record, path: str) -> Record | None:
    """The volume that a path lies in; None for the root volume."""
    parts = path.split("/")
    for end in range(len(parts) - 1, 1, -1):
        above = world.store.find(KIND, junction="/".join(parts[:end]), svm__uuid=record["svm"]["uuid"])
        if above and above[0]["uuid"] != record["uuid"]:
            return above[0]
    return None


def holder(world: World, record: Record) -> Record | None:
    """The volume that has the junction of this one, the root volume among them; None when it is not mounted."""
    if not record["junction"] or record["junction"] == ROOT:
        return None
    above = parent_of(world, record, record["junction"])
    roots = world.store.find(KIND, svm__uuid=record["svm"]["uuid"], junction=ROOT)
    return above or next(iter(roots), None)


def inside(world: World, record: Record) -> list[Record]:
    """The volumes mounted directly inside a volume, and in none that is itself inside it."""
    if not record["junction"] or record["junction"] == ROOT:
        return []
    below = {uuid: path for uuid, path in _paths(world, record).items() if path.startswith(record["junction"] + "/")}
    outermost = [u for u, path in below.items() if not any(path.startswith(other + "/") for other in below.values())]
    return [volume for uuid in outermost if (volume := world.store.get(KIND, uuid))]


def check_free(world: World, record: Record) -> None:
    """A volume leaves its place only when no other one is mounted inside it."""
    for other in inside(world, record):
        raise errors.HasMounted(record["name"], other["name"], other["junction"])


def check_move(world: World, record: Record, changes: dict[str, Any]) -> None:
    """Whether a volume may leave its place, and be at the new one, if these changes move it or take it offline."""
    new = record | changes
    if (new["junction"], new["state"]) == (record["junction"], record["state"]):
        return
    check_free(world, record)
    if new["junction"]:
        check(world, record, new["junction"])


def seen_at(record: Record) -> str | None:
    """The path at which the files of a volume are seen."""
    return record["junction"] if record["state"] == "online" else None


def show(world: World, record: Record) -> None:
    """Make the junction of a volume that is online and has a path. 918252, with nothing changed, when that fails."""
    path = seen_at(record)
    if not path or path == ROOT:
        return
    try:
        world.dataplane.namespace.mount(_place(record, path, parent_of(world, record, path)), record["uuid"])
    except Blocked as reason:
        raise errors.BadPath(path, str(reason)) from reason


def hide(world: World, record: Record) -> None:
    """Take the junction of a volume away; nothing happens when it has none."""
    path = record["junction"]
    if path and path != ROOT:
        world.dataplane.namespace.unmount(_place(record, path, parent_of(world, record, path)))


def links_inside(world: World, record: Record) -> dict[str, str]:
    """The online volumes mounted directly inside a volume: path below it to uuid."""
    start = len(record["junction"] or "") + 1
    return {o["junction"][start:]: o["uuid"] for o in inside(world, record) if o["state"] == "online"}


def _place(record: Record, path: str, parent: Record | None) -> Place:
    if parent is None:
        return Place(record["svm"]["name"], path.strip("/"))
    return Place(record["svm"]["name"], path[len(parent["junction"]) + 1 :], inside=parent["uuid"])


def restore_all(world: World, svm: Record) -> None:
    """Make the links of an SVM agree with its records; what cannot be mounted is unmounted, which the log says."""
    namespace = world.dataplane.namespace
    with namespace.lock:
        volumes = world.store.find(KIND, svm__uuid=svm["uuid"])
        shown = [v for v in volumes if v["junction"] not in (None, ROOT) and v["state"] == "online"]
        try:
            namespace.make(svm["name"])
        except Blocked as reason:
            log.error("the namespace of SVM %.100r is shown nowhere, because %s", svm["name"], reason)
        for place in namespace.stray(svm["name"], {volume["junction"] for volume in shown}):
            namespace.unmount(place)
        done: list[Record] = []
        lost: list[str] = []
        # The outer ones first, so that what lies in a volume that cannot be mounted is not mounted elsewhere.
        for volume in sorted(shown, key=lambda v: v["junction"].count("/")):
            refusal = _not_shown(world, volume, done, lost)
            if refusal is None:
                done.append(volume)
                continue
            if all(other["junction"] != volume["junction"] for other in done):
                lost.append(volume["junction"] + "/")
            world.store.update(KIND, volume["uuid"], junction=None)
            log.error("volume %s (%s) is unmounted now: %s", volume["name"], volume["uuid"], refusal)


def _not_shown(world: World, volume: Record, done: list[Record], lost: list[str]) -> str | None:
    """Mount a volume of the records; why that cannot be, or None when it is done."""
    if any(volume["junction"].startswith(path) for path in lost):
        return f"the volume at a path above {volume['junction']!r} could not be mounted"
    try:
        check(world, volume, volume["junction"], done)
        show(world, volume)
    except OntapError as error:
        return error.message
    return None
