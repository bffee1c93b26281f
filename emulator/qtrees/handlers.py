from __future__ import annotations

from typing import Any

from emulator import rules
from emulator.errors import MissingField, NotFound
from emulator.qtrees import errors, state
from emulator.quotas import state as quotas
from emulator.rest import Call, Reply, accepted, many, one
from emulator.store import Record
from emulator.svms.state import visible


def volume_of(call: Call) -> Record:
    """The volume that the body names by ``volume`` and ``svm``."""
    wish, svm = call.body.get("volume") or {}, call.body.get("svm") or {}
    if not wish.get("name") and not wish.get("uuid"):
        raise MissingField("volume.name")
    for volume in visible(call, call.world.store.find("volume")):
        theirs = svm.get("name") in (None, volume["svm"]["name"]) and svm.get("uuid") in (None, volume["svm"]["uuid"])
        if theirs and wish.get("uuid") in (None, volume["uuid"]) and wish.get("name") in (None, volume["name"]):
            return volume
    raise errors.NoSuchVolume(str(wish.get("name") or wish.get("uuid")))


def list_qtrees(call: Call) -> Reply:
    volumes = visible(call, call.world.store.find("volume"))
    found = [record for volume in volumes for record in state.of_volume(call.world, volume)]
    return many(call, state.QTREE, [record | {"_seq": place} for place, record in enumerate(found)])


def _qtree(call: Call) -> tuple[Record, Record]:
    """The volume and the qtree that the path names."""
    volume = call.world.store.get("volume", call.params["volume.uuid"])
    if volume is None or not visible(call, [volume]):
        raise NotFound("volume.uuid")
    for record in state.of_volume(call.world, volume):
        if str(record["id"]) == call.params["id"]:
            return volume, record
    raise NotFound("id")


def get_qtree(call: Call) -> Reply:
    return one(call, state.QTREE, _qtree(call)[1])


def create(call: Call) -> Reply:
    if not call.body.get("name"):
        raise MissingField("name")
    volume = volume_of(call)
    rules.check("write", call.world, volume)
    state.check_name(call.world, volume, call.body["name"])
    record = state.new(call.world, volume, call.body)

    def shown() -> dict[str, Any] | None:
        made = call.world.store.get(state.KIND, record["uuid"])
        return state.QTREE.show(call.world, made, state.QTREE.wanted(None, instance=True)) if made else None

    args = {"record": record, "mode": call.body.get("unix_permissions")}
    location = f"/api/storage/qtrees/{volume['uuid']}/{record['id']}"
    return accepted(call, "qtree.create", args, location=location, result=shown, svm=volume["svm"])


def modify(call: Call) -> Reply:
    volume, record = _qtree(call)
    if record["id"] == state.DEFAULT_ID:
        raise errors.DefaultStays(volume["name"])
    rules.check("write", call.world, volume)
    body = call.body
    changes = {key: body[key] for key in ("name", "security_style") if body.get(key)}
    if changes.get("name", record["name"]) != record["name"]:
        state.check_name(call.world, volume, changes["name"])
    if body.get("export_policy"):
        changes["export_policy"] = state.policy_of(call.world, volume, body)
    args = {"uuid": record["uuid"], "changes": changes, "mode": body.get("unix_permissions")}
    return accepted(call, "qtree.modify", args, svm=volume["svm"])


def delete(call: Call) -> Reply:
    volume, record = _qtree(call)
    if record["id"] == state.DEFAULT_ID:
        raise errors.DefaultStays(volume["name"])
    rules.check("write", call.world, volume)
    if quotas.rule_of(call.world, volume["uuid"], record["name"]):
        raise errors.HasQuota(record["name"], volume["name"])
    return accepted(call, "qtree.delete", {"uuid": record["uuid"]}, svm=volume["svm"])
