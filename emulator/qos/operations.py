"""What jobs do to QoS policies. Each may be killed anywhere and done again from the start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emulator.errors import NotFound
from emulator.jobs import operation
from emulator.qos import state

if TYPE_CHECKING:
    from emulator.world import World


@operation("qos.create")
def create(world: World, args: dict[str, Any]) -> None:
    record = args["record"]
    with world.store.transaction():
        if world.store.get(state.KIND, record["uuid"]) is None:
            state.check_name(world, record["name"], record["svm"])
            world.store.insert(state.KIND, record)


@operation("qos.modify")
def modify(world: World, args: dict[str, Any]) -> None:
    if world.store.get(state.KIND, args["uuid"]) is None:
        raise NotFound()
    world.store.update(state.KIND, args["uuid"], **args["changes"])


@operation("qos.delete")
def delete(world: World, args: dict[str, Any]) -> None:
    """Volumes that had the policy have none from then on."""
    with world.store.transaction():
        for volume in state.volumes_with(world, args["uuid"]):
            options = {key: value for key, value in volume["options"].items() if not key.startswith("qos.")}
            world.store.update("volume", volume["uuid"], options=options)
        world.store.delete(state.KIND, args["uuid"])
