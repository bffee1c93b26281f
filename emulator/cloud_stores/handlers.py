from __future__ import annotations

from emulator.cloud_stores import state
from emulator.errors import NotFound
from emulator.rest import ANY, Call, Reply, many, one
from emulator.store import Record


def _attached(call: Call) -> list[Record]:
    uuid = call.params["aggregate.uuid"]
    if uuid != ANY and call.world.store.get("aggregate", uuid) is None:
        raise NotFound("aggregate.uuid")
    return [record for record in call.world.store.find(state.KIND) if uuid in (ANY, record["aggregate"]["uuid"])]


def list_stores(call: Call) -> Reply:
    return many(call, state.CLOUD_STORE, _attached(call))


def get_store(call: Call) -> Reply:
    found = [record for record in _attached(call) if record["uuid"] == call.params["target.uuid"]]
    return one(call, state.CLOUD_STORE, next(iter(found), None))
