from __future__ import annotations

from emulator import owned
from emulator.efficiency_policies import state as efficiency_policies
from emulator.rest import Call, Reply, created, many, one
from emulator.schedules import errors, state
from emulator.snapshot_policies.state import with_schedule
from emulator.store import Record


def _schedule(call: Call) -> Record:
    return owned.found(call, state.KIND, call.params["uuid"])


def _changeable(call: Call) -> Record:
    record = _schedule(call)
    return owned.changeable(call, record, built_in=record["system"], refusal=errors.SystemSchedule)


def list_schedules(call: Call) -> Reply:
    return many(call, state.SCHEDULE, owned.visible(call, state.KIND))


def get_schedule(call: Call) -> Reply:
    return one(call, state.SCHEDULE, _schedule(call))


def create(call: Call) -> Reply:
    store = call.world.store
    name, svm = owned.name_and_svm(call)
    record = state.new(name, svm, state.of_type(call.body))
    with store.transaction():
        if state.exists(call.world, name, svm):
            raise errors.NameTaken(name)
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
