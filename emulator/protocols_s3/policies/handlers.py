from emulator.errors import NotAllowed, NotFound
from emulator.protocols_s3 import scope
from emulator.protocols_s3.policies import state
from emulator.rest import Call, Reply, created, many, one
from emulator.s3.policy import PREDEFINED
from emulator.store import Record


def list_policies(call: Call) -> Reply:
    return many(call, state.POLICY, _all(call))


def get_policy(call: Call) -> Reply:
    return one(call, state.POLICY, next((r for r in _all(call) if r["name"] == call.params["name"]), None))


def create(call: Call) -> Reply:
    return created(call, state.POLICY, state.create(call.world, scope.serving_svm_of(call), call.body))


def modify(call: Call) -> Reply:
    state.modify(call.world, _own(call), call.body)
    return Reply(200, {})


def delete(call: Call) -> Reply:
    state.delete(call.world, _own(call))
    return Reply(200, {})


def _all(call: Call) -> list[Record]:
    svm = scope.svm_of(call)
    serving = call.world.store.get("s3_service", svm["uuid"]) is not None
    return (state.predefined(svm) if serving else []) + scope.owned(call, state.KIND)


def _own(call: Call) -> Record:
    if call.params["name"] in PREDEFINED:
        raise NotAllowed(f'Policy "{call.params["name"]}" is read-only.')
    policy = scope.named(call, state.KIND, "name")
    if policy is None:
        raise NotFound("name")
    return policy
