from __future__ import annotations

from emulator.efficiency_policies import errors, state
from emulator.errors import MissingField, NotFound
from emulator.rest import Call, Reply, created, many, one
from emulator.store import Record
from emulator.svms.state import ref, resolve, visible


def _policy(call: Call) -> Record:
    record = call.world.store.get(state.KIND, call.params["uuid"])
    if record is None or not visible(call, [record]):
        raise NotFound()
    return record


def _changeable(call: Call) -> Record:
    record = _policy(call)
    if record["name"] == state.DEFAULT:
        raise errors.PredefinedStays(record["name"])
    return record


def list_policies(call: Call) -> Reply:
    return many(call, state.POLICY, visible(call, call.world.store.find(state.KIND)))


def get_policy(call: Call) -> Reply:
    return one(call, state.POLICY, _policy(call))


def create(call: Call) -> Reply:
    body, world = call.body, call.world
    if not body.get("name"):
        raise MissingField("name")
    svm = ref(resolve(call, body.get("svm")))
    record = state.new(world, body["name"], svm, body)
    with world.store.transaction():
        if body["name"] in state.PREDEFINED or state.named(world, svm, body["name"]):
            raise errors.NameTaken(body["name"], svm["name"])
        record = world.store.insert(state.KIND, record)
    return created(call, state.POLICY, record)


def modify(call: Call) -> Reply:
    record = _changeable(call)
    call.world.store.update(state.KIND, record["uuid"], **state.facts_of(call.world, record["svm"], call.body, record))
    return Reply(200, {})


def delete(call: Call) -> Reply:
    record = _changeable(call)
    with call.world.store.transaction():
        for volume in state.users_of(call.world, record):
            raise errors.PolicyInUse(record["name"], volume)
        call.world.store.delete(state.KIND, record["uuid"])
    return Reply(200, {})
