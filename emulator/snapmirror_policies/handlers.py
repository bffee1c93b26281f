from __future__ import annotations

from typing import Any

from emulator import owned
from emulator.rest import Call, Reply, created, many, one
from emulator.schedules import state as schedules
from emulator.snapmirror_policies import errors, state
from emulator.store import Record


def _policy(call: Call) -> Record:
    return owned.found(call, state.KIND, call.params["uuid"])


def _changeable(call: Call) -> Record:
    record = _policy(call)
    return owned.changeable(call, record, built_in=state.built_in(record), refusal=errors.BuiltIn)


def list_policies(call: Call) -> Reply:
    return many(call, state.POLICY, owned.visible(call, state.KIND))


def get_policy(call: Call) -> Reply:
    return one(call, state.POLICY, _policy(call))


def _changes(call: Call, svm: dict[str, str] | None) -> dict[str, Any]:
    body = call.body
    changes = {key: body[key] for key in ("comment", "throttle") if body.get(key) is not None}
    if body.get("network_compression_enabled") is not None:
        changes["compression"] = body["network_compression_enabled"]
    wish = body.get("transfer_schedule") or {}
    if "name" in wish or "uuid" in wish:
        changes["schedule"] = schedules.wished(call.world, svm, wish)
    return changes


def create(call: Call) -> Reply:
    body, world = call.body, call.world
    name, svm = owned.name_and_svm(call)
    kind = body.get("type") or "async"
    rules = state.rules_of(body, kind)
    sync_type = (body.get("sync_type") or "sync") if kind == "sync" else None
    record = state.new(name, svm, type=kind, sync_type=sync_type, rules=rules) | _changes(call, svm)
    with world.store.transaction():
        if state.exists(world, name, svm):
            raise errors.NameTaken(name)
        record = world.store.insert(state.KIND, record)
    return created(call, state.POLICY, record)


def modify(call: Call) -> Reply:
    record = _changeable(call)
    changes = _changes(call, record["svm"])
    if call.body.get("retention") is not None:
        changes["rules"] = state.checked(call.body["retention"], not state.takes_snapshot(record))
    call.world.store.update(state.KIND, record["uuid"], **changes)
    return Reply(200, {})


def delete(call: Call) -> Reply:
    record = _changeable(call)
    with call.world.store.transaction():
        if users := list(state.users_of(call.world, record)):
            raise errors.PolicyInUse(record["name"], users)
        call.world.store.delete(state.KIND, record["uuid"])
    return Reply(200, {})
