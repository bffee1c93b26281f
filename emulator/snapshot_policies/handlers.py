from __future__ import annotations

from typing import Any

from emulator import owned
from emulator.errors import NotFound
from emulator.rest import Call, Reply, created, many, one
from emulator.snapshot_policies import errors, state
from emulator.store import Record


def _policy(call: Call, uuid: str) -> Record:
    return owned.found(call, state.KIND, uuid)


def _changeable(call: Call, uuid: str) -> Record:
    record = _policy(call, uuid)
    return owned.changeable(call, record, built_in=state.built_in(record), refusal=errors.BuiltIn)


def list_policies(call: Call) -> Reply:
    return many(call, state.POLICY, owned.visible(call, state.KIND))


def get_policy(call: Call) -> Reply:
    return one(call, state.POLICY, _policy(call, call.params["uuid"]))


def create(call: Call) -> Reply:
    body, world = call.body, call.world
    name, svm = owned.name_and_svm(call)
    copies: list[Any] = []
    wished = body.get("copies") or []
    for wish in wished if isinstance(wished, list) else [wished]:
        copies = state.with_copy(world, svm, copies, wish)
    state.checked(copies)
    record = state.new(name, svm, copies, comment=body.get("comment") or "")
    record["enabled"] = body.get("enabled") is not False
    with world.store.transaction():
        if state.exists(world, name, svm):
            raise errors.NameTaken(name)
        record = world.store.insert(state.KIND, record)
    return created(call, state.POLICY, record)


def modify(call: Call) -> Reply:
    record = _changeable(call, call.params["uuid"])
    changes = {name: value for name, value in call.body.items() if value is not None}
    call.world.store.update(state.KIND, record["uuid"], **changes)
    return Reply(200, {})


def delete(call: Call) -> Reply:
    record = _changeable(call, call.params["uuid"])
    with call.world.store.transaction():
        for user in state.users_of(call.world, record):
            raise errors.PolicyInUse(record["name"], user)
        call.world.store.delete(state.KIND, record["uuid"])
    return Reply(200, {})


def _copies(policy: Record) -> list[Record]:
    """Each copy of a policy as a record of its own, found by its schedule."""
    owner = {"snapshot_policy": {"name": policy["name"], "uuid": policy["uuid"]}}
    return [copy | owner | {"uuid": copy["schedule"], "_seq": n} for n, copy in enumerate(policy["copies"])]


def _copy(call: Call, policy: Record) -> Record:
    for copy in _copies(policy):
        if copy["schedule"] == call.params["schedule.uuid"]:
            return copy
    raise NotFound("schedule.uuid")


def list_copies(call: Call) -> Reply:
    return many(call, state.COPY, _copies(_policy(call, call.params["snapshot_policy.uuid"])))


def get_copy(call: Call) -> Reply:
    return one(call, state.COPY, _copy(call, _policy(call, call.params["snapshot_policy.uuid"])))


def create_copy(call: Call) -> Reply:
    with call.world.store.transaction():
        policy = _changeable(call, call.params["snapshot_policy.uuid"])
        copies = state.with_copy(call.world, policy["svm"], policy["copies"], call.body)
        policy = call.world.store.update(state.KIND, policy["uuid"], copies=copies)
    return created(call, state.COPY, _copies(policy)[-1])


def modify_copy(call: Call) -> Reply:
    changes = {name: value for name, value in call.body.items() if value is not None and name in state.CHANGED}
    with call.world.store.transaction():
        policy = _changeable(call, call.params["snapshot_policy.uuid"])
        schedule = _copy(call, policy)["schedule"]
        copies = [copy | changes if copy["schedule"] == schedule else copy for copy in policy["copies"]]
        call.world.store.update(state.KIND, policy["uuid"], copies=state.checked(copies))
    return Reply(200, {})


def delete_copy(call: Call) -> Reply:
    with call.world.store.transaction():
        policy = _changeable(call, call.params["snapshot_policy.uuid"])
        schedule = _copy(call, policy)["schedule"]
        copies = [copy for copy in policy["copies"] if copy["schedule"] != schedule]
        call.world.store.update(state.KIND, policy["uuid"], copies=state.checked(copies))
    return Reply(200, {})
