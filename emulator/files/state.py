"""Files and folders of a volume, live or in a snapshot, as ONTAP itself shows them."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from emulator import trees
from emulator.body import Accepts, text
from emulator.dataplane import SNAPSHOT_LINK
from emulator.fields import Shape, Wanted
from emulator.files.places import Place
from emulator.store import Record
from emulator.values import one_of
from emulator.volumes.state import permissions

if TYPE_CHECKING:
    from emulator.world import World

POST_FIELDS: Accepts = {"type": one_of("directory", "symlink"), "target": text, "unix_permissions": permissions}
PATCH_FIELDS: Accepts = {"path": text, "unix_permissions": permissions}

_TIMES = ("creation_time", "modified_time", "changed_time", "accessed_time")


def render(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    info: os.stat_result = record["info"]
    shown = {name: record[name] for name in ("volume", "path", "name", "type", "location")}
    shown |= {
        "size": info.st_size,
        "bytes_used": info.st_size,
        "inode_number": record["change"].inode,
        "hard_links_count": info.st_nlink,
        "owner_id": info.st_uid,
        "group_id": info.st_gid,
        "unix_permissions": int(f"{record['mode']:o}"),
        "is_snapshot": record["is_snapshot"],
        "is_junction": record["is_junction"],
        "target": record["target"],
    }
    if record["type"] == "directory" and wanted.has("is_empty"):
        with os.scandir(record["at"]) as entries:
            shown["is_empty"] = not any(entry.name != SNAPSHOT_LINK for entry in entries)
    changed = record["change"].time / 1e9
    stamps = (changed, info.st_mtime, changed, info.st_atime)
    # To the microsecond, where ONTAP tells seconds: a test writes a file twice within one of these.
    return shown | {name: datetime.fromtimestamp(at, UTC).isoformat() for name, at in zip(_TIMES, stamps, strict=True)}


FILE = Shape(
    href="/storage/volumes/{volume.uuid}/files/{location}",
    keys=("path", "name", "type"),
    common=("volume.uuid", "volume.name", "size", "bytes_used", "inode_number", "hard_links_count")
    + ("owner_id", "group_id", "unix_permissions", "is_snapshot", "is_junction", "is_empty", "target", *_TIMES),
    costly=(),
    render=render,
)


def entries(volume: Record, place: Place) -> list[Record]:
    """What a folder holds, with ``.`` and ``..``, in the order of names."""
    names = [".", "..", *sorted(os.listdir(place.at))]  # noqa: PTH208 - thousands of them
    found = [record_of(volume, place, name, number) for number, name in enumerate(names)]
    return [record for record in found if record]


def record_of(volume: Record, place: Place, name: str = "", number: int = 0) -> Record | None:
    """One entry of a folder, or with no name the place itself; None for what has just gone."""
    at = place.at if name in ("", ".", "..") else place.at / name
    try:
        info = at.lstat()
    except FileNotFoundError:
        return None
    kind = _kind(info)
    junction = kind == "symlink" and trees.junction(at) is not None
    if junction or (kind == "symlink" and name == SNAPSHOT_LINK and not place.path):
        info, kind = at.stat(), "directory"
    above, _, own = place.path.rpartition("/")
    folder, shown_name = (place.path, name) if name else (above, own or ".")
    below = "" if name in ("", ".", "..") else name
    frozen_mode = place.mode(below)
    return {
        "_seq": number,
        "volume": {"uuid": volume["uuid"], "name": volume["name"]},
        "path": folder,
        "name": shown_name,
        "type": kind,
        "location": f"{folder}/{shown_name}".strip("/"),
        "at": str(at),
        "info": info,
        "change": place.change(info, below),
        "mode": stat.S_IMODE(info.st_mode) if frozen_mode is None else frozen_mode,
        "is_junction": junction or None,
        "is_snapshot": (place.path == SNAPSHOT_LINK and name not in (".", "..")) or None,
        "target": str(at.readlink()) if kind == "symlink" else None,
    }


def _kind(info: os.stat_result) -> str:
    for test, kind in ((stat.S_ISDIR, "directory"), (stat.S_ISLNK, "symlink"), (stat.S_ISREG, "file")):
        if test(info.st_mode):
            return kind
    return "unknown"
