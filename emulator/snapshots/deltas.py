"""How much of a volume has changed since a snapshot: the advanced field ``delta``."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emulator import trees
from emulator.clock import iso_duration
from emulator.dataplane import SKIPPED
from emulator.store import Record

if TYPE_CHECKING:
    from emulator.world import World

BLOCK = 4096
"""Bytes in which ONTAP counts."""


def delta(world: World, record: Record) -> dict[str, Any]:
    """Between the snapshot and the volume's live files: bytes of those that are not as they were, and the time."""
    age = world.clock.now() - datetime.fromisoformat(record["create_time"])
    live = world.dataplane.data_dir(record["volume"])
    frozen = world.dataplane.snapshot_dir(record["volume"], record["name"])
    return {"size_consumed": _changed(live, frozen), "time_elapsed": iso_duration(max(age.total_seconds(), 0))}


def _changed(live: Path, frozen: Path) -> int:
    """At least a block of each file or link that is not as it was, and a block of each that is gone."""
    before = {relative: entry.stat(follow_symlinks=False) for relative, entry in trees.walk(frozen)}
    total = 0
    for relative, entry in trees.walk(live, SKIPPED):
        try:
            now = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        then = before.pop(relative, None)
        if entry.is_dir(follow_symlinks=False) or (entry.is_symlink() and trees.junction(entry.path)):
            continue
        if then is None or (now.st_size, now.st_mtime_ns) != (then.st_size, then.st_mtime_ns):
            total += max(BLOCK, now.st_size)
    return total + BLOCK * len(before)
