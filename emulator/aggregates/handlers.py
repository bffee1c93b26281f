from emulator.aggregates import state
from emulator.rest import Call, Reply, many, one


def list_aggregates(call: Call) -> Reply:
    return many(call, state.AGGREGATE, call.world.store.find(state.KIND))


def get_aggregate(call: Call) -> Reply:
    return one(call, state.AGGREGATE, call.world.store.get(state.KIND, call.params["uuid"]))
