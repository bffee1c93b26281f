from emulator.interfaces import state
from emulator.rest import Call, Reply, many, one
from emulator.svms.state import visible


def list_interfaces(call: Call) -> Reply:
    return many(call, state.INTERFACE, visible(call, call.world.store.find(state.KIND)))


def get_interface(call: Call) -> Reply:
    found = visible(call, call.world.store.find(state.KIND, uuid=call.params["uuid"]))
    return one(call, state.INTERFACE, found[0] if found else None)
