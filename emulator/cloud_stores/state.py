"""Object stores attached to aggregates: where FabricPool tiers cold data to. Only the second aggregate has one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from emulator.aggregates import state as aggregates
from emulator.fields import Shape, Wanted
from emulator.store import Record

if TYPE_CHECKING:
    from emulator.world import World

KIND = "cloud_store"
TARGET = "cold_data"
HOME = aggregates.NAMES[1]
AVAILABILITY = ("available", "unavailable")


def render(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    shown = {key: record[key] for key in ("target", "aggregate", "availability")}
    if record["availability"] == "unavailable":
        shown["unavailable_reason"] = {"message": "Cannot verify availability of the object store."}
    return shown | {"primary": True, "mirror_degraded": False, "used": 0}


CLOUD_STORE = Shape(
    href="/storage/aggregates/{aggregate.uuid}/cloud-stores/{target.uuid}",
    keys=("target.uuid", "target.name"),
    common=("aggregate.name", "aggregate.uuid", "availability", "primary", "mirror_degraded"),
    costly=("used", "unavailable_reason.message"),
    render=render,
)


def add_presets(world: World) -> None:
    """The one there is; a state written by an older emulator has none."""
    found = world.store.find(aggregates.KIND, name=HOME)
    if not found or world.store.find(KIND):
        return
    aggregate = {"name": found[0]["name"], "uuid": found[0]["uuid"]}
    target = {"name": TARGET, "uuid": str(uuid4())}
    facts = {"uuid": target["uuid"], "aggregate": aggregate, "target": target, "availability": AVAILABILITY[0]}
    world.store.insert(KIND, facts)
