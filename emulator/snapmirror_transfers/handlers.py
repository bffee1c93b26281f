from __future__ import annotations

from emulator.errors import NotFound
from emulator.rest import Call, Reply, created, many, one
from emulator.snapmirror import operations
from emulator.snapmirror import state as relationships
from emulator.snapmirror_transfers import errors, state
from emulator.store import Record
from emulator.svms.state import visible

_FOR = {"uninitialized": "initialize", "snapmirrored": "update", "in_sync": "update"}


def _relationship(call: Call) -> Record:
    record = call.world.store.get(relationships.KIND, call.params["relationship.uuid"])
    if record is None or not visible(call, [record]):
        raise NotFound("relationship.uuid")
    return record


def _transfer(call: Call) -> Record:
    record = call.world.store.get(state.KIND, call.params["uuid"])
    if record is None or record["relationship"] != _relationship(call)["uuid"]:
        raise errors.NoSuchTransfer()
    return record


def list_transfers(call: Call) -> Reply:
    relationship = _relationship(call)
    for record in state.of(call.world, relationship["uuid"]):
        call.world.transfers.read(record)
    return many(call, state.TRANSFER, state.of(call.world, relationship["uuid"]))


def get_transfer(call: Call) -> Reply:
    call.world.transfers.read(_transfer(call))
    return one(call, state.TRANSFER, _transfer(call))


def create(call: Call) -> Reply:
    """Initialise or update; 201 at once, and no job: the record says how it goes on."""
    relationship, body = _relationship(call), call.body
    path, now = relationship["destination"], relationship["state"]
    kind = _FOR.get(now)
    if kind is None:
        reason = "the relationship is paused." if now == "paused" else f"the relationship is in the state {now}."
        raise errors.UpdateFailed(path, reason)
    facts = {"source_snapshot": body.get("source_snapshot")}
    if body.get("throttle") is not None:
        facts["throttle"] = body["throttle"]
    with call.world.store.transaction():
        if state.running(call.world, relationship["uuid"]):
            failed = errors.InitializeFailed if kind == "initialize" else errors.UpdateFailed
            raise failed(path, "Another transfer is in progress.")
        record = operations.begin(call.world, relationship, kind, **facts)
    return created(call, state.TRANSFER, record)


def modify(call: Call) -> Reply:
    record = _transfer(call)
    if wanted := call.body.get("state"):
        if record["state"] not in state.OPEN:
            raise errors.NotRunning(record["uuid"], record["state"])
        call.world.transfers.abort(record, wanted)
    return Reply(200, {})
