"""The compliance clock of a node: set once, by who means to; what is locked is locked by its time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emulator.body import Accepts, text
from emulator.cluster.state import NODE
from emulator.fields import Shape, Wanted
from emulator.snaplock import errors
from emulator.store import Record

if TYPE_CHECKING:
    from emulator.world import World

KIND = "compliance_clock"
POST_FIELDS: Accepts = {"node.name": text, "node.uuid": text}


def render(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    return {"node": {"uuid": record["uuid"], "name": record["name"]}, "time": world.clock.iso()}


CLOCK = Shape(
    href="/storage/snaplock/compliance-clocks/{node.uuid}",
    keys=("node.uuid", "node.name"),
    common=("time",),
    costly=(),
    render=render,
)


def is_set(world: World) -> bool:
    return world.store.count(KIND) > 0


def node(world: World, wish: dict[str, Any]) -> Record:
    """The node of this name or UUID. 14090240 if there is none."""
    for record in world.store.find(NODE):
        if wish.get("uuid") in (None, record["uuid"]) and wish.get("name") in (None, record["name"]):
            return record
    raise errors.NoSuchNode(str(wish.get("name") or wish.get("uuid")))


def initialize(world: World, wish: dict[str, Any]) -> Record:
    """Set the clock of a node. 13763062 when it is set."""
    found = node(world, wish)
    with world.store.transaction():
        if world.store.get(KIND, found["uuid"]):
            raise errors.ClockIsSet(found["name"])
        return world.store.insert(KIND, {"uuid": found["uuid"], "name": found["name"]})


def require(world: World, volume: str) -> None:
    """What needs a compliance clock is refused while there is none."""
    if not is_set(world):
        raise errors.ClockNotSet(volume)
