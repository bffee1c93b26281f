"""Where a path of a volume leads: into its live files, or below ``.snapshot`` into one of its snapshots."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from emulator import changed_times, trees
from emulator.dataplane import SNAPSHOT_LINK
from emulator.files import errors
from emulator.snapshots import state as snapshots
from emulator.store import Record

if TYPE_CHECKING:
    from emulator.world import World


@dataclass(frozen=True)
class Place:
    """``at`` on this machine, ``path`` in the volume; ``modes`` are those that freezing took away, by path below.

    ``times`` and ``live`` say when files last changed, in a snapshot and of live files that began as a copy.
    """

    path: str
    at: Path
    below: str
    """The path within the live files or within the snapshot."""
    frozen: bool = False
    modes: dict[str, int] = field(default_factory=dict)
    times: changed_times.Times = field(default_factory=dict)
    live: changed_times.Live = field(default_factory=dict)

    def exists(self) -> bool:
        return os.path.lexists(self.at)

    def mode(self, name: str = "") -> int | None:
        """Permission bits that freezing took away, of an entry of this folder or of the place itself."""
        return self.modes.get(self._below(name))

    def change(self, info: os.stat_result, name: str = "") -> changed_times.Change:
        """The last one of an entry of this folder, or of the place itself."""
        if self.frozen:
            return changed_times.frozen(info, self.times, self._below(name))
        return changed_times.shown(info, self.live)

    def _below(self, name: str) -> str:
        return f"{self.below}/{name}".strip("/") or "."


def find(world: World, volume: Record, path: str) -> Place:
    """The place that a path names, whether or not there is something. 404 where it cannot be in the volume."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts or any("\0" in part or len(part.encode("utf-8", "surrogatepass")) > 255 for part in parts):
        raise errors.NoSuchFile(path)
    clean = "/".join(parts)
    if parts[:1] == [SNAPSHOT_LINK] and len(parts) > 1:
        return _frozen(world, volume, parts[1], "/".join(parts[2:]), clean)
    top = world.dataplane.data_dir(volume["uuid"])
    if parts == [SNAPSHOT_LINK]:
        return Place(clean, (top / SNAPSHOT_LINK).resolve(), clean, frozen=True)
    return Place(clean, _inside(top, clean), clean, live=world.dataplane.live_times(volume["uuid"]))


def _frozen(world: World, volume: Record, name: str, below: str, path: str) -> Place:
    snapshot = snapshots.named(world, volume, name, None)
    if snapshot is None:
        raise errors.NoSuchFile(path)
    top = world.dataplane.snapshot_dir(volume["uuid"], name)
    modes = trees.load_facts(world.dataplane.modes_file(volume["uuid"], snapshot["uuid"]))
    times = changed_times.load(world.dataplane.times_file(volume["uuid"], snapshot["uuid"]))
    return Place(path, _inside(top, below), below, frozen=True, modes=modes, times=times)


def _inside(top: Path, below: str) -> Path:
    """No link on the way may lead out of the tree; one at the end is the file that is meant."""
    at = top / below if below else top
    if at != top and not at.parent.resolve().is_relative_to(top.resolve()):
        raise errors.NoSuchFile(below)
    return at


def writable(world: World, volume: Record, path: str) -> Place:
    place = find(world, volume, path)
    if place.frozen:
        raise errors.ReadOnly(path)
    if not place.path:
        raise errors.IsADirectory("/")
    return place
