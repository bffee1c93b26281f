from __future__ import annotations

from emulator.errors import NotFound
from emulator.key_managers import state
from emulator.rest import Call, Reply, accepted, created, many, one


def list_managers(call: Call) -> Reply:
    return many(call, state.KEY_MANAGER, call.world.store.find(state.KIND))


def get_manager(call: Call) -> Reply:
    return one(call, state.KEY_MANAGER, call.world.store.get(state.KIND, call.params["uuid"]))


def create(call: Call) -> Reply:
    with call.world.store.transaction():
        state.check_new(call.world, call.body)
        record = state.add(call.world)
    return created(call, state.KEY_MANAGER, record)


def delete(call: Call) -> Reply:
    if call.world.store.get(state.KIND, call.params["uuid"]) is None:
        raise NotFound()
    return accepted(call, "key_manager.delete", {"uuid": call.params["uuid"]})
