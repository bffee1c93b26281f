"""What goes with a volume: each resource says so itself, so that a new one changes nothing in this room."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from emulator.store import Record

if TYPE_CHECKING:
    from emulator.world import World

Follower = Callable[["World", Record, Record], None]
_KINDS: list[str] = []
_FOLLOWERS: list[Follower] = []


def belongs(kind: str) -> str:
    """Register a kind of records that carry the uuid of their ``volume`` and go with it. Returns the kind."""
    _KINDS.append(kind)
    return kind


def follows(follower: Follower) -> Follower:
    """Register a function (world, old record, new record) that is called after a volume was changed, maybe twice."""
    _FOLLOWERS.append(follower)
    return follower


def follow(world: World, old: Record, new: Record) -> None:
    for follower in _FOLLOWERS:
        follower(world, old, new)


def remove(world: World, volume: str) -> None:
    """Within the transaction that removes the volume."""
    for kind in _KINDS:
        for record in world.store.find(kind, volume=volume):
            world.store.delete(kind, record["uuid"])
