"""When a volume's snapshots can be locked, and what a lock must be."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from emulator.snaplock import clocks, errors
from emulator.store import Record

if TYPE_CHECKING:
    from emulator.world import World


def check_volume(world: World, old: Record, new: Record) -> None:
    """Refuse locking without a compliance clock or on a volume whose blocks may leave the aggregate."""
    if not new["locking"]:
        return
    if not old["locking"]:
        clocks.require(world, new["name"])
    policy = new["options"].get("tiering.policy", "none")
    if policy != "none":
        raise errors.NotWithTiering(new["name"], policy)


def check_lock(world: World, snapshot: Record | None, until: str) -> None:
    """A lock ends later than now, and never earlier than the one there is."""
    end = datetime.fromisoformat(until)
    if end <= world.clock.now():
        raise errors.InThePast(until)
    before = snapshot["lock_until"] if snapshot else None
    if snapshot and before and datetime.fromisoformat(before) > max(end, world.clock.now()):
        raise errors.NotWithLockedSnapshot(snapshot["name"], before)
