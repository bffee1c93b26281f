"""Multipart uploads on disk. They survive a restart.

DIR/s3/uploads/<upload id>/upload.json and one file <part number>-<md5> per part, which carries its checksums as an
object does; DIR/s3/completed/<upload id>.json says for a day what an upload became, for a client whose answer got lost.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emulator.world import World

_ID = re.compile(r"[0-9a-f]{32}")
_COMPLETED_KEPT_S = 24 * 3600


@dataclass(frozen=True)
class Part:
    number: int
    md5: str
    path: Path

    @property
    def size(self) -> int:
        return self.path.stat().st_size


def begin(world: World, upload_id: str, about: dict[str, Any]) -> None:
    folder = folder_of(world, upload_id)
    folder.mkdir(parents=True)
    _write_whole(world, folder / "upload.json", about)


def about(world: World, upload_id: str) -> dict[str, Any] | None:
    """What an open upload was begun with; None where there is none of this id, whatever that looks like."""
    return _read(folder_of(world, upload_id) / "upload.json") if _ID.fullmatch(upload_id) else None


def parts_of(folder: Path) -> list[Part]:
    """Parts in their order. FileNotFoundError when the upload has just ended."""
    found = (path.name.partition("-") + (path,) for path in folder.iterdir() if path.name != "upload.json")
    return sorted((Part(int(number), md5, path) for number, _, md5, path in found), key=lambda part: part.number)


def end(world: World, upload_id: str) -> None:
    shutil.rmtree(folder_of(world, upload_id), ignore_errors=True)


def note_completed(world: World, upload_id: str, outcome: dict[str, Any]) -> None:
    """Called once the object is in its place: a kill before that leaves an upload that can be completed again."""
    folder = _completed_dir(world)
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < time.time() - _COMPLETED_KEPT_S:
                path.unlink()
    _write_whole(world, folder / f"{upload_id}.json", outcome)


def completed(world: World, upload_id: str) -> dict[str, Any] | None:
    return _read(_completed_dir(world) / f"{upload_id}.json") if _ID.fullmatch(upload_id) else None


def open_uploads(world: World) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in uploads_dir(world).glob("*/upload.json"):
        found = _read(path)
        if found is not None:
            yield path.parent.name, found


def forget_bucket(world: World, bucket_uuid: str) -> None:
    """Drop all unfinished uploads of a bucket that is being deleted."""
    for upload_id, found in open_uploads(world):
        if found["bucket"] == bucket_uuid:
            end(world, upload_id)


def forget_others(world: World, buckets: set[str]) -> None:
    """Drop all uploads whose bucket is none of these, and those killed before they were written down."""
    if uploads_dir(world).exists():
        known = dict(open_uploads(world))
        for folder in uploads_dir(world).iterdir():
            if known.get(folder.name, {}).get("bucket") not in buckets:
                shutil.rmtree(folder, ignore_errors=True)


def uploads_dir(world: World) -> Path:
    return world.root / "s3" / "uploads"


def folder_of(world: World, upload_id: str) -> Path:
    return uploads_dir(world) / upload_id


def _completed_dir(world: World) -> Path:
    return world.root / "s3" / "completed"


def _read(path: Path) -> dict[str, Any] | None:
    with contextlib.suppress(OSError, ValueError):
        return json.loads(path.read_text())
    return None


def _write_whole(world: World, path: Path, content: dict[str, Any]) -> None:
    staged = world.dataplane.stage()
    staged.write_text(json.dumps(content))
    staged.rename(path)
