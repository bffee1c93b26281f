from __future__ import annotations

from typing import Any
from uuid import uuid4

from emulator.body import checked, merged
from emulator.consistency_groups import errors, snapshots, state
from emulator.errors import BadValue, MissingField
from emulator.rest import Call, Reply, accepted, many, one
from emulator.store import Record
from emulator.svms.state import ref, resolve, visible


def _group(call: Call, name: str = "uuid") -> Record:
    record = call.world.store.get(state.KIND, call.params[name])
    if record is None or not visible(call, [record]):
        raise errors.NoSuchGroup(call.params[name])
    return record


def list_groups(call: Call) -> Reply:
    return many(call, state.GROUP, visible(call, call.world.store.find(state.KIND)))


def get_group(call: Call) -> Reply:
    return one(call, state.GROUP, _group(call))


def create(call: Call) -> Reply:
    body, world = call.body, call.world
    if not body.get("name"):
        raise MissingField("name")
    svm = ref(resolve(call, body.get("svm")))
    with world.store.transaction():
        if world.store.find(state.KIND, svm__uuid=svm["uuid"], name=body["name"]):
            raise errors.GroupExists(body["name"], svm["name"])
        record = {"uuid": str(uuid4()), "name": body["name"], "svm": svm}
        record["volumes"] = state.members(world, svm, body.get("volumes") or [], [])
        record = world.store.insert(state.KIND, record)
    return _made(call, state.GROUP, record)


def _made(call: Call, shape: Any, record: Record) -> Reply:
    shown = shape.show(call.world, record, shape.wanted(None, instance=True))
    body = {"num_records": 1, "records": [shown]} if call.return_records else {}
    return Reply(201, body, {"Location": shown["_links"]["self"]["href"]})


def modify(call: Call) -> Reply:
    record, world = _group(call), call.world
    named = {name: call.query[name] for name in state.RESTORE_ARGUMENTS if name in call.query}
    body = merged(call.body, checked(named, state.PATCH_FIELDS))
    if wish := (body.get("restore_to") or {}).get("snapshot"):
        return _restore(call, record, wish)
    with world.store.transaction():
        volumes = state.members(world, record["svm"], body.get("volumes") or [], record["volumes"])
        world.store.update(state.KIND, record["uuid"], volumes=volumes)
    return Reply(200, {})


def _restore(call: Call, group: Record, wish: dict[str, Any]) -> Reply:
    found = [
        snapshot
        for snapshot in snapshots.of(call.world, group)
        if wish.get("uuid") in (None, snapshot["uuid"]) and wish.get("name") in (None, snapshot["name"])
    ]
    if not found:
        raise errors.NoSuchSnapshot(str(wish.get("name") or wish.get("uuid")), group["name"])
    snapshots.check_whole(call.world, found[0])
    args = {"group": group["name"], "snapshot": found[0]["uuid"]}
    return accepted(call, "consistency_group.restore", args, svm=group["svm"])


def delete(call: Call) -> Reply:
    """The volumes stay, and so do their snapshots."""
    group, store = _group(call), call.world.store
    with store.transaction():
        for record in store.find(snapshots.KIND):
            if record["group"] == group["uuid"]:
                store.delete(snapshots.KIND, record["uuid"])
        store.delete(state.KIND, group["uuid"])
    return Reply(200, {})


def list_snapshots(call: Call) -> Reply:
    return many(call, snapshots.SNAPSHOT, snapshots.of(call.world, _group(call, "consistency_group.uuid")))


def _snapshot(call: Call, group: Record, *, pending: bool = False) -> Record:
    record = call.world.store.get(snapshots.KIND, call.params["uuid"])
    if record is None or record["group"] != group["uuid"] or (record["deadline"] and not pending):
        raise errors.NoSuchSnapshot(call.params["uuid"], group["name"])
    return record


def get_snapshot(call: Call) -> Reply:
    return one(call, snapshots.SNAPSHOT, _snapshot(call, _group(call, "consistency_group.uuid")))


def create_snapshot(call: Call) -> Reply:
    group, world = _group(call, "consistency_group.uuid"), call.world
    record = snapshots.new(world, group, call.body, _timeout(call))
    for other in world.store.find(snapshots.KIND):
        if other["group"] == group["uuid"] and other["name"] == record["name"]:
            snapshots.abort(world, other)
    snapshots.check(world, group, record["name"])

    def shown() -> dict[str, Any] | None:
        made = world.store.get(snapshots.KIND, record["uuid"])
        wanted = snapshots.SNAPSHOT.wanted(None, instance=True)
        return snapshots.SNAPSHOT.show(world, made, wanted) if made else None

    location = f"/api/application/consistency-groups/{group['uuid']}/snapshots/{record['uuid']}"
    args = {"record": record}
    return accepted(call, "consistency_group.snapshot", args, location=location, result=shown, svm=group["svm"])


def _timeout(call: Call) -> int | None:
    """Seconds until the commit of a snapshot in two phases; None for one in a single step."""
    if (action := call.query.get("action")) is None:
        return None
    if action != "start":
        raise BadValue(action, "action", "start")
    seconds = call.query.get("action_timeout", str(snapshots.TIMEOUT_S))
    if not seconds.isdigit() or not 1 <= int(seconds[:9]) <= snapshots.TIMEOUT_MAX_S:
        raise BadValue(seconds, "action_timeout", f"1..{snapshots.TIMEOUT_MAX_S}")
    return int(seconds)


def commit_snapshot(call: Call) -> Reply:
    if (action := call.query.get("action")) != "commit":
        raise BadValue(action, "action", "commit")
    snapshots.commit(call.world, _snapshot(call, _group(call, "consistency_group.uuid"), pending=True))
    return Reply(200, {})


def delete_snapshot(call: Call) -> Reply:
    group = _group(call, "consistency_group.uuid")
    record = _snapshot(call, group)
    return accepted(call, "consistency_group.snapshot.delete", {"uuid": record["uuid"]}, svm=group["svm"])
