"""A state of the cluster that a test comes back to, which is quicker than to make it again.

Only records are kept. Files are not: what they are is what inodes and times say too, which no copy has. So the cluster
goes back only where no file has changed since, and says so where one has.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, replace
from pathlib import Path

from emulator import seed, trees
from emulator.jobs.runner import Pace
from emulator.snapmirror_transfers import records as transfers
from emulator.store import Row
from emulator.world import World

Facts = tuple[int | str, ...]
# Made anew from the records, or of no record.
_LEFT_OUT = frozenset({"namespace", "staging"})
_UNDER_WAY_S = 1.0


@dataclass(frozen=True)
class Bookmark:
    rows: list[Row]
    files: dict[str, Facts]
    """By path below the emulator's folder."""
    pace: Pace
    snapshot_limit: int


def keep(world: World) -> bool:
    """Remember how things are now; False, and nothing is remembered, while a job or a transfer is under way."""
    world.bookmark = None
    with world.gate.closed() as gate:
        moving = [t for t in world.store.find(transfers.KIND) if t["state"] in transfers.OPEN]
        if not gate.empty(_UNDER_WAY_S) or world.jobs.open_jobs() or moving:
            return False
        world.bookmark = Bookmark(
            world.store.rows(), _files(world.root), replace(world.jobs.pace), world.config.snapshot_limit
        )
    return True


def can_go_back(world: World) -> bool:
    """Whether something is remembered, and every file that was there then is as it was."""
    known = world.bookmark
    return isinstance(known, Bookmark) and _same(known.files, _files(world.root))


def go_back(world: World) -> bool:
    """Be as at ``keep`` again; False where that cannot be, and then all work is stopped and nothing else changed."""
    with seed.stopped(world):
        known = world.bookmark
        if not isinstance(known, Bookmark) or not can_go_back(world):
            return False
        world.store.replace(known.rows)
        world.jobs.pace, world.config.snapshot_limit = replace(known.pace), known.snapshot_limit
        seed.recover(world)
    return True


def _files(root: Path) -> dict[str, Facts]:
    tops = [path for path in root.iterdir() if path.is_dir() and path.name not in _LEFT_OUT]
    found = {}
    for top in tops:
        for relative, entry in trees.walk(top):
            found[f"{top.name}/{relative}"] = _facts(entry.path, entry.stat(follow_symlinks=False))
    return found


def _facts(path: str, info: os.stat_result) -> Facts:
    if stat.S_ISLNK(info.st_mode):
        return (info.st_mode, info.st_ino, os.readlink(path))  # noqa: PTH115
    if stat.S_ISDIR(info.st_mode):
        return (info.st_mode, info.st_ino, info.st_uid, info.st_gid)
    return (info.st_mode, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)


def _same(before: dict[str, Facts], now: dict[str, Facts]) -> bool:
    if any(now.get(path) != facts for path, facts in before.items()):
        return False
    return all(_goes_by_itself(path, before) for path in set(now) - set(before))


def _goes_by_itself(path: str, before: dict[str, Facts]) -> bool:
    """Whether it lies in a volume or a snapshot that was not there, which goes with its record."""
    parts = path.split("/")
    if parts[0] != "volumes":
        return False
    new_volume = "/".join(parts[:2]) not in before
    of_snapshot = len(parts) > 3 and parts[2] in ("snapshots", "modes") and "/".join(parts[:4]) not in before
    return new_volume or of_snapshot
