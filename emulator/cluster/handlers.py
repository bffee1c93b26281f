from emulator.cluster import state
from emulator.rest import Call, Reply, many, one


def get_cluster(call: Call) -> Reply:
    return one(call, state.CLUSTER, call.world.store.find(state.KIND)[0])


def list_nodes(call: Call) -> Reply:
    return many(call, state.NODE_SHAPE, call.world.store.find(state.NODE))


def get_node(call: Call) -> Reply:
    return one(call, state.NODE_SHAPE, call.world.store.get(state.NODE, call.params["uuid"]))
