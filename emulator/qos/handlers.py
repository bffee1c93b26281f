from __future__ import annotations

from typing import Any

from emulator.errors import MissingField, NotFound
from emulator.qos import errors, state
from emulator.rest import Call, Reply, accepted, many, one
from emulator.store import Record
from emulator.svms.state import ref, resolve


def _all(call: Call) -> list[Record]:
    """An SVM's user sees its own policies and those of the cluster."""
    records = call.world.store.find(state.KIND)
    return [r for r in records if call.user.svm is None or r["svm"] is None or r["svm"]["name"] == call.user.svm]


def _policy(call: Call) -> Record:
    for record in _all(call):
        if record["uuid"] == call.params["uuid"]:
            return record
    raise NotFound()


def _own_policy(call: Call) -> Record:
    record = _policy(call)
    if record["svm"] is None:
        raise errors.PresetStays(record["name"])
    return record


def list_policies(call: Call) -> Reply:
    return many(call, state.POLICY, _all(call))


def get_policy(call: Call) -> Reply:
    return one(call, state.POLICY, _policy(call))


def create(call: Call) -> Reply:
    body, world = call.body, call.world
    if not body.get("name"):
        raise MissingField("name")
    svm = ref(resolve(call, body.get("svm")))
    state.check_name(world, body["name"], svm)
    record = state.new(world, body["name"], svm, state.of_kind(body))

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
