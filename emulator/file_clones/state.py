"""Clones of single files: within one volume, also out of a snapshot, which is how one file is restored."""

from __future__ import annotations

import os
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from emulator import trees
from emulator.body import Accepts, flag, text, texts
from emulator.errors import BadValue, NotFound
from emulator.files import errors, places
from emulator.jobs import operation

if TYPE_CHECKING:
    from emulator.world import World

POST_FIELDS: Accepts = {
    "volume.name": text,
    "volume.uuid": text,
    "source_path": text,
    "destination_path": text,
    "overwrite_destination": flag,
    "range": texts,
}
BLOCK = 4096
_RANGE = re.compile(r"(\d{1,12}):(\d{1,12}):(\d{1,12})")
Blocks = tuple[int, int, int]
"""First block of the source, first block of the destination, and how many."""


@operation("file.clone")
def clone(world: World, args: dict[str, Any]) -> None:
    """Built beside and renamed into place: at no moment is there half a file. Done again, it does the same again."""
    volume = world.store.get("volume", args["volume"])
    if volume is None:
        raise NotFound("volume.uuid")
    with world.dataplane.lock(volume["uuid"]):
        source = places.find(world, volume, args["source"])
        target = places.writable(world, volume, args["target"])
        check(source, target, overwrite=args["overwrite"])
        stage = world.dataplane.stage()
        trees.copy_file(source.at, stage, mode=source.mode())
        os.replace(stage, target.at)  # noqa: PTH105
    world.dataplane.forget_used(volume["uuid"])


@operation("file.clone_blocks")
def clone_blocks(world: World, args: dict[str, Any]) -> None:
    """Of an own copy of the destination, which is renamed into place. Done again, it does the same again."""
    volume = world.store.get("volume", args["volume"])
    if volume is None:
        raise NotFound("volume.uuid")
    ranges: list[Blocks] = [(first, to, count) for first, to, count in args["ranges"]]
    with world.dataplane.lock(volume["uuid"]):
        source = places.find(world, volume, args["source"])
        target = places.writable(world, volume, args["target"])
        check_ranges(source, target, ranges)
        stage = world.dataplane.stage()
        trees.copy_file(target.at, stage, mode=None)
        with source.at.open("rb") as reader, stage.open("r+b") as writer:
            for first, to, count in ranges:
                reader.seek(first * BLOCK)
                writer.seek(to * BLOCK)
                writer.write(reader.read(count * BLOCK))
        os.replace(stage, target.at)  # noqa: PTH105
    world.dataplane.forget_used(volume["uuid"])


def blocks(text: str) -> Blocks:
    """``source-block:destination-block:count``; 262197 for anything else."""
    match = _RANGE.fullmatch(text)
    if match is None or match[3] == "0":
        raise BadValue(text, "range", "source-block:destination-block:count")
    return int(match[1]), int(match[2]), int(match[3])


def check_ranges(source: places.Place, target: places.Place, ranges: list[Blocks]) -> None:
    """No two ranges share a block of the source, or of the destination; in one file, no source and destination do."""
    for place in (source, target):
        if not place.at.is_file() or place.at.is_symlink():
            raise errors.NoSuchFile(place.path)
    spans = [(range(first, first + count), range(to, to + count)) for first, to, count in ranges]
    sources, targets = [a for a, _ in spans], [b for _, b in spans]
    if _overlap(sources) or _overlap(targets) or (source.at == target.at and _overlap([*sources, *targets])):
        raise errors.RangesOverlap()
    for place, used in ((source, sources), (target, targets)):
        if max(each.stop for each in used) * BLOCK > -(-place.at.stat().st_size // BLOCK) * BLOCK:
            raise errors.RangeBeyondEnd(place.path)


def _overlap(spans: list[range]) -> bool:
    ordered = sorted(spans, key=lambda span: span.start)
    return any(one.stop > other.start for one, other in pairwise(ordered))


def check(source: places.Place, target: places.Place, *, overwrite: bool) -> None:
    if not source.exists():
        raise errors.NoSuchFile(source.path)
    if source.at.is_dir() and not source.at.is_symlink():
        raise errors.IsADirectory(source.path)
    if target.at.is_dir() and not target.at.is_symlink():
        raise errors.IsADirectory(target.path)
    if target.exists() and not overwrite:
        raise errors.FileExists(target.path)
    if not target.at.parent.is_dir():
        raise errors.NoSuchFile(target.path)
