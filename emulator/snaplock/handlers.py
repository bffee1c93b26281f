from emulator.errors import MissingField
from emulator.rest import Call, Reply, created, many, one
from emulator.snaplock import clocks


def list_clocks(call: Call) -> Reply:
    return many(call, clocks.CLOCK, call.world.store.find(clocks.KIND))


def get_clock(call: Call) -> Reply:
    return one(call, clocks.CLOCK, call.world.store.get(clocks.KIND, call.params["node.uuid"]))


def create_clock(call: Call) -> Reply:
    wish = call.body.get("node") or {}
    if not wish.get("name") and not wish.get("uuid"):
        raise MissingField("node.uuid")
    return created(call, clocks.CLOCK, clocks.initialize(call.world, wish))
