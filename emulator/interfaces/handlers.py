from emulator.interfaces import state
from emulator.rest import Call, Reply, many, one
from emulator.store import Record
from emulator.svms.state import visible


def _all(call: Call) -> list[Record]:
    own = [] if call.user.svm else [state.intercluster(call.world)]
    return own + visible(call, call.world.store.find(state.KIND))


def list_interfaces(call: Call) -> Reply:
    return many(call, state.INTERFACE, _all(call))


def get_interface(call: Call) -> Reply:
    found = [record for record in _all(call) if record["uuid"] == call.params["uuid"]]
    return one(call, state.INTERFACE, found[0] if found else None)
