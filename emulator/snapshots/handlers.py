from __future__ import annotations

import itertools
from typing import Any
from uuid import uuid4

from emulator import rules
from emulator.reading import Records
from emulator.rest import ANY, Call, Reply, accepted, many, one
from emulator.snapshots import errors, state
from emulator.store import Record
from emulator.svms.state import seen
from emulator.volumes.handlers import volume

_VOLUMES_AT_MOST = 200  # for which looking up one after the other is cheaper than looking at all


def _snapshot(call: Call, parent: Record) -> Record:
    record = call.world.store.get(state.KIND, call.params["uuid"])
    if record is None or record["volume"] != parent["uuid"]:
        raise errors.NoSuchSnapshot(call.params["uuid"], parent["name"])
    return record


def list_snapshots(call: Call) -> Reply:
    """``*`` in place of a volume asks for the snapshots of all."""
    if call.params["volume.uuid"] == ANY:
        return many(call, state.SNAPSHOT, _of_named_volumes(call, seen(call, state.KIND)))
    parent = volume(call, "volume.uuid")
    return many(call, state.SNAPSHOT, seen(call, state.KIND).of("volume", parent["uuid"]))


def _of_named_volumes(call: Call, snapshots: Records) -> Records:
    """Those of the volumes that a query for ``volume.name`` may mean: no index of snapshots knows that name."""
    every = Records(call.world.store, "volume")
    named = every.narrowed({"name": call.query.get("volume.name", "")}, {"name": "name"})
    if named is every:
        return snapshots
    uuids = [found["uuid"] for found in itertools.islice(named, _VOLUMES_AT_MOST + 1)]
    if len(uuids) > _VOLUMES_AT_MOST:
        return snapshots
    return snapshots.narrowed({"volume.uuid": "|".join(uuids) or "none"}, state.SNAPSHOT.stored)


def get_snapshot(call: Call) -> Reply:
    return one(call, state.SNAPSHOT, _snapshot(call, volume(call, "volume.uuid")))


def create(call: Call) -> Reply:
    parent, world = volume(call, "volume.uuid"), call.world
    rules.check("snapshot.create", world, parent)
    uuid = str(uuid4())
    # ONTAP makes up a name from the time when none is given.
    named = {"name": f"snapshot.{world.clock.now():%Y-%m-%d_%H%M%S}"} | state.facts_of(world, call.body, parent)
    state.check_name(world, named["name"], parent)
    state.check_limit(world, parent)
    args = {"volume": parent["uuid"], "facts": {"uuid": uuid} | named}
    location = f"/api/storage/volumes/{parent['uuid']}/snapshots/{uuid}"

    def shown() -> dict[str, Any] | None:
        made = world.store.get(state.KIND, uuid)
        return state.SNAPSHOT.show(world, made, state.SNAPSHOT.wanted(None, instance=True)) if made else None

    return accepted(call, "snapshot.create", args, location=location, result=shown, svm=parent["svm"])


def modify(call: Call) -> Reply:
    parent = volume(call, "volume.uuid")
    record = _snapshot(call, parent)
    rules.check("snapshot.modify", call.world, parent)
    facts = state.facts_of(call.world, call.body, parent, record)
    if facts.get("name", record["name"]) != record["name"]:
        state.check_name(call.world, facts["name"], parent)
        if state.is_locked(call.world, record):
            raise errors.Locked(record["name"], parent["name"], record["lock_until"])
    args = {"volume": parent["uuid"], "uuid": record["uuid"], "facts": facts}
    return accepted(call, "snapshot.modify", args, svm=parent["svm"])


def delete(call: Call) -> Reply:
    parent = volume(call, "volume.uuid")
    record = _snapshot(call, parent)
    rules.check("snapshot.delete", call.world, parent)
    state.check_removable(call.world, parent, record)
    return accepted(call, "snapshot.delete", {"volume": parent["uuid"], "uuid": record["uuid"]}, svm=parent["svm"])
