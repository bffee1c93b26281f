from __future__ import annotations

from emulator.efficiency_policies import state as efficiency_policies
from emulator.errors import MissingField, NotFound
from emulator.rest import Call, Reply, created, many, one
from emulator.schedules import errors, state
from emulator.snapshot_policies.state import with_schedule
from emulator.store import Record
from emulator.svms.state import ref, resolve


def _all(call: Call) -> list[Record]:
    """An SVM's user sees its own schedules and those of the cluster."""
    records = call.world.store.find(state.KIND)
    return [r for r in records if call.user.svm is None or r["svm"] is None or r["svm"]["name"] == call.user.svm]


def _schedule(call: Call) -> Record:
    for record in _all(call):
        if record["uuid"] == call.params["uuid"]:
            return record
    raise NotFound()


def _changeable(call: Call) -> Record:
    record = _schedule(call)
    if record["system"] or (record["svm"] is None and call.user.svm is not None):
        raise errors.SystemSchedule(record["name"])
    return record


def list_schedules(call: Call) -> Reply:
    return many(call, state.SCHEDULE, _all(call))


def get_schedule(call: Call) -> Reply:
    return one(call, state.SCHEDULE, _schedule(call))


def create(call: Call) -> Reply:
    body, store = call.body, call.world.store
    if not body.get("name"):
        raise MissingField("name")
    svm = ref(resolve(call, body.get("svm"))) if body.get("svm") or call.user.svm else None
    record = state.new(body["name"], svm, state.of_type(body))
    with store.transaction():
        if state.exists(call.world, body["name"], svm):
            raise errors.NameTaken(body["name"])
        record = store.insert(state.KIND, record)
    return created(call, state.SCHEDULE, record)


def modify(call: Call) -> Reply:
    record = _changeable(call)
    call.world.store.update(state.KIND, record["uuid"], **state.of_type(call.body, record))
    return Reply(200, {})


def delete(call: Call) -> Reply:
    record = _changeable(call)
    with call.world.store.transaction():
        uuid = record["uuid"]
        for policy in (*with_schedule(call.world, uuid), *efficiency_policies.with_schedule(call.world, uuid)):
            raise errors.ScheduleInUse(record["name"], policy["name"])
        call.world.store.delete(state.KIND, record["uuid"])
    return Reply(200, {})
