from __future__ import annotations

from typing import Any
from uuid import uuid4

from emulator.errors import NotFound
from emulator.rest import Call, Reply, accepted, many, one
from emulator.schedules import state as schedules
from emulator.snapmirror import errors, state
from emulator.snapmirror_policies import state as policies
from emulator.snapmirror_transfers import state as transfers
from emulator.store import Record
from emulator.svm_peers import state as svm_peers
from emulator.svms.state import ref, resolve, visible

_NEEDS_STATE = ("quick_resync", "preserve", "restore_to_snapshot")


def _all(call: Call) -> list[Record]:
    known = state.SOURCE if call.flag("list_destinations_only") else state.KIND
    return visible(call, call.world.store.find(known))


def list_relationships(call: Call) -> Reply:
    for record in _all(call):
        _looked_at(call, record)
    return many(call, state.RELATIONSHIP, _all(call))


def get_relationship(call: Call) -> Reply:
    _looked_at(call, _relationship(call))
    return one(call, state.RELATIONSHIP, _relationship(call))


def _looked_at(call: Call, record: Record) -> None:
    running = transfers.running(call.world, record["uuid"])
    if running:
        call.world.transfers.read(running)


def _relationship(call: Call) -> Record:
    for record in _all(call):
        if record["uuid"] == call.params["uuid"]:
            return record
    raise NotFound()


def create(call: Call) -> Reply:
    world, body = call.world, call.body
    source, destination = body.get("source") or {}, body.get("destination") or {}
    svm_name, _ = state.parted(destination.get("path"), "destination.path")
    source_svm, _ = state.parted(source.get("path"), "source.path")
    svm = ref(resolve(call, {"name": svm_name}))
    if known := state.at(world, destination["path"]):
        raise errors.RelationshipExists(known["source"], destination["path"])
    policy = policies.usable(world, svm, body.get("policy") or {"name": state.DEFAULT_POLICY})
    _check_state(policy, body.get("state"))
    creation = body.get("create_destination") or {}
    if body.get("state") and not creation.get("enabled"):
        raise errors.StateOnlyWithCreation()
    record = state.new(svm, source["path"], destination["path"], policy=policy["uuid"], **_settings(call, svm))
    record |= _where(call, svm, source_svm)
    args = {"record": record, "creation": creation, "volume": str(uuid4()), "state": body.get("state")}
    return accepted(
        call,
        "snapmirror.create",
        args | {"user_svm": call.user.svm},
        location=f"/api/snapmirror/relationships/{record['uuid']}",
        result=lambda: _shown(call, record["uuid"]),
        svm=svm,
    )


def _where(call: Call, svm: dict[str, str], source_svm: str) -> dict[str, Any]:
    """Whether the source is in the same SVM, or which peering leads to it."""
    if source_svm == svm["name"]:
        return {"source_svm": svm["uuid"], "peering": None}
    return {"peering": svm_peers.usable(call.world, svm, source_svm, "snapmirror")["uuid"]}


def _shown(call: Call, uuid: str) -> dict[str, Any] | None:
    made = call.world.store.get(state.KIND, uuid)
    if made is None:
        return None
    return state.RELATIONSHIP.show(call.world, made, state.RELATIONSHIP.wanted(None, instance=True))


def _check_state(policy: Record, wanted: str | None) -> None:
    if wanted in ("snapmirrored", "in_sync") and (wanted == "in_sync") != (policy["type"] == "sync"):
        raise errors.StateNotForPolicy(wanted, policy["type"])


def _settings(call: Call, svm: dict[str, str]) -> dict[str, Any]:
    """The fields that a request sets without doing anything."""
    found: dict[str, Any] = {}
    if call.body.get("throttle") is not None:
        found["throttle"] = call.body["throttle"]
    wish = call.body.get("transfer_schedule") or {}
    if "name" in wish or "uuid" in wish:
        found["schedule"] = schedules.wished(call.world, svm, wish)
        found["looked_at"] = call.world.clock.iso()
    return found


def modify(call: Call) -> Reply:
    world, body = call.world, call.body
    record = _relationship(call)
    changes = _settings(call, record["svm"])
    policy = world.store.get(policies.KIND, record["policy"])
    assert policy is not None
    if wish := {key: value for key, value in (body.get("policy") or {}).items() if value}:
        wanted = policies.usable(world, record["svm"], wish)
        if wanted["type"] != policy["type"]:
            raise errors.PolicyTypeStays(policy["type"], wanted["type"])
        policy, changes = wanted, changes | {"policy": wanted["uuid"]}
    _check_state(policy, body.get("state"))
    if not body.get("state"):
        for name in _NEEDS_STATE:
            if body.get(name):
                raise errors.FlagWithoutState(name)
    asked = {name: body.get(name) for name in ("state", "preserve", "restore_to_snapshot")}
    args = {"uuid": record["uuid"], "changes": changes, **asked}
    return accepted(call, "snapmirror.modify", args, svm=record["svm"])


def delete(call: Call) -> Reply:
    """Of both sides; or ``destination_only``, or ``source_only`` and ``source_info_only`` on the source's cluster."""
    world, uuid = call.world, call.params["uuid"]
    how = {name: call.flag(name) for name in ("destination_only", "source_only", "source_info_only")}
    kind = state.SOURCE if how["source_only"] or how["source_info_only"] else state.KIND
    record = world.store.get(kind, uuid)
    if record is None or not visible(call, [record]):
        raise NotFound()
    if kind == state.KIND and transfers.running(world, uuid):
        raise errors.InTransfer(record["destination"])
    return accepted(call, "snapmirror.delete", {"uuid": uuid, **how}, svm=record["svm"])
