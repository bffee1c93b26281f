from __future__ import annotations

from typing import Any

from emulator import owned
from emulator.qos import errors, state
from emulator.rest import Call, Reply, accepted, many, one
from emulator.store import Record
from emulator.svms.state import ref, resolve


def _policy(call: Call) -> Record:
    return owned.found(call, state.KIND, call.params["uuid"])


def _own_policy(call: Call) -> Record:
    record = _policy(call)
    if record["svm"] is None:
        raise errors.PresetStays(record["name"])
    return record


def list_policies(call: Call) -> Reply:
    return many(call, state.POLICY, owned.visible(call, state.KIND))


def get_policy(call: Call) -> Reply:
    return one(call, state.POLICY, _policy(call))


def create(call: Call) -> Reply:
    world, name = call.world, owned.named(call)
    svm = ref(resolve(call, call.body.get("svm")))
    state.check_name(world, name, svm)
    record = state.new(world, name, svm, state.of_kind(call.body))

    def shown() -> dict[str, Any] | None:
        made = world.store.get(state.KIND, record["uuid"])
        return state.POLICY.show(world, made, state.POLICY.wanted(None, instance=True)) if made else None

    location = f"/api/storage/qos/policies/{record['uuid']}"
    return accepted(call, "qos.create", {"record": record}, location=location, result=shown, svm=svm)


def modify(call: Call) -> Reply:
    record = _own_policy(call)
    if (name := call.body.get("name")) and name != record["name"]:
        state.check_name(call.world, name, record["svm"])
    changes = state.of_kind(call.body, record) | ({"name": name} if name else {})
    return accepted(call, "qos.modify", {"uuid": record["uuid"], "changes": changes}, svm=record["svm"])


def delete(call: Call) -> Reply:
    record = _own_policy(call)
    return accepted(call, "qos.delete", {"uuid": record["uuid"]}, svm=record["svm"])
