"""What goes with a volume: each resource says so itself, so that a new one changes nothing in this room."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emulator.world import World

_KINDS: list[str] = []


def belongs(kind: str) -> str:
    """Register a kind of records that carry the uuid of their ``volume`` and go with it. Returns the kind."""
    _KINDS.append(kind)
    return kind


def remove(world: World, volume: str) -> None:
    """Within the transaction that removes the volume."""
    for kind in _KINDS:
        for record in world.store.find(kind, volume=volume):
            world.store.delete(kind, record["uuid"])
