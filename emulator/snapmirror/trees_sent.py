"""Directory trees as they go from one cluster to another: listed, compared by content, and built again."""
# ruff: noqa: PTH101, PTH115

from __future__ import annotations

import base64
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from emulator import trees

BLOCK = 1 << 18


def listed(top: Path) -> list[dict[str, Any]]:
    """Everything below a folder, and itself as ``.``, parents first."""
    paths = [(".", os.lstat(top))]
    paths += [(relative, os.lstat(entry.path)) for relative, entry in trees.walk(top)]
    return [_entry(top, relative, info) for relative, info in sorted(paths)]


def _entry(top: Path, relative: str, info: os.stat_result) -> dict[str, Any]:
    path = f"{top}/{relative}"
    found: dict[str, Any] = {
        "path": relative,
        "mode": info.st_mode,
        "size": info.st_size,
        "mtime": info.st_mtime_ns,
        "owner": [info.st_uid, info.st_gid],
    }
    if stat.S_ISLNK(info.st_mode):
        found["target"] = os.readlink(path)
    elif attributes := trees.user_attributes(path):
        values = {name: os.getxattr(path, name, follow_symlinks=False) for name in attributes}
        found["attributes"] = {name: base64.b64encode(value).decode() for name, value in values.items()}
    return found


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


def contents(paths: Iterable[Path]) -> Iterator[bytes]:
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                yield block


def inside(top: Path, relative: str) -> Path:
    """A file of a tree. ValueError for a path that leads out of it."""
    found = top
    for part in relative.split("/"):
        found = trees.child(found, part)
        if found.is_symlink():
            raise ValueError(f"{relative!r} is a link")
    return found


def is_file(entry: dict[str, Any]) -> bool:
    return stat.S_ISREG(entry["mode"])


def make_folders(top: Path, entries: list[dict[str, Any]]) -> None:
    """Folders and links; everything else follows, then ``finish``."""
    top.mkdir(parents=True)
    for entry in entries:
        path = top if entry["path"] == "." else top / entry["path"]
        if stat.S_ISDIR(entry["mode"]):
            path.mkdir(exist_ok=True)
        elif stat.S_ISLNK(entry["mode"]):
            path.symlink_to(entry["target"])


def finish(top: Path, entries: list[dict[str, Any]]) -> None:
    """Owners, attributes, modes and times as at the source; children before parents, since they change their times."""
    for entry in reversed(entries):
        path = f"{top}/{entry['path']}"
        if os.geteuid() == 0:
            os.chown(path, *entry["owner"], follow_symlinks=False)
        for name, value in entry.get("attributes", {}).items():
            os.setxattr(path, name, base64.b64decode(value), follow_symlinks=False)
        if not stat.S_ISLNK(entry["mode"]):
            os.chmod(path, stat.S_IMODE(entry["mode"]))
        os.utime(path, ns=(entry["mtime"], entry["mtime"]), follow_symlinks=False)
