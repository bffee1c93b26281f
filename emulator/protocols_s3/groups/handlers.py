from emulator.errors import NotFound
from emulator.protocols_s3 import scope
from emulator.protocols_s3.groups import state
from emulator.rest import Call, Reply, created, many, one
from emulator.store import Record


def list_groups(call: Call) -> Reply:
    return many(call, state.GROUP, scope.owned(call, state.KIND))


def get_group(call: Call) -> Reply:
    return one(call, state.GROUP, scope.named(call, state.KIND, "id"))


def create(call: Call) -> Reply:
    return created(call, state.GROUP, state.create(call.world, scope.serving_svm_of(call), call.body))


def modify(call: Call) -> Reply:
    state.modify(call.world, _group(call), call.body)
    return Reply(200, {})


def delete(call: Call) -> Reply:
    call.world.store.delete(state.KIND, _group(call)["uuid"])
    return Reply(200, {})


def _group(call: Call) -> Record:
    group = scope.named(call, state.KIND, "id")
    if group is None:
        raise NotFound("id")
    return group
