"""How much of a volume has changed since a snapshot: the advanced field ``delta``."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from emulator import changed_times, trees
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
    return {"size_consumed": _changed(world, record), "time_elapsed": iso_duration(max(age.total_seconds(), 0))}


def _changed(world: World, record: Record) -> int:
    """At least a block of each file or link that is not as it was, and a block of each that is gone."""
    plane, volume = world.dataplane, record["volume"]
    times = changed_times.load(plane.times_file(volume, record["uuid"]))
    live, frozen = plane.live_times(volume), plane.snapshot_dir(volume, record["name"])
    before = {relative: entry.stat(follow_symlinks=False) for relative, entry in trees.walk(frozen)}
    total = 0
    for relative, entry in trees.walk(plane.data_dir(volume), SKIPPED):
        try:
            now = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        then = before.pop(relative, None)
        if entry.is_dir(follow_symlinks=False) or (entry.is_symlink() and trees.junction(entry.path)):
            continue
        if then is None or changed_times.shown(now, live) != changed_times.frozen(then, times, relative):
            total += max(BLOCK, now.st_size)
    return total + BLOCK * len(before)
