from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from emulator import rules
from emulator.body import checked, merged
from emulator.errors import BadValue, MissingField, NotFound, NotSupported
from emulator.flexcache.refusals import check_fields
from emulator.reading import Records
from emulator.rest import Call, Reply, accepted, many, one
from emulator.snaplock import kept, locking
from emulator.snapshots import state as snapshots
from emulator.snapshots.errors import NoSuchSnapshot
from emulator.store import Record
from emulator.svms import state as svms
from emulator.svms.state import ref, resolve, seen, visible
from emulator.volumes import (
    autosize,
    checks,
    errors,
    flexgroups,
    junctions,
    moves,
    object_store,
    root,
    settings,
    splits,
    state,
)
from emulator.volumes.operations import changes_of, owner_of
from emulator.volumes.places import FLEXGROUP

if TYPE_CHECKING:
    from emulator.world import World

DEFAULT_MODE = 0o755


def list_volumes(call: Call) -> Reply:
    if call.flag("is_constituent"):
        return many(call, state.VOLUME, visible(call, flexgroups.every(call.world)))
    if "is_object_store" in call.query:
        return many(call, state.VOLUME, [*_all(call), *visible(call, object_store.find_all(call.world))])
    return many(call, state.VOLUME, _all(call))


def get_volume(call: Call) -> Reply:
    if call.flag("is_constituent"):
        found = [part for part in flexgroups.every(call.world) if part["uuid"] == call.params["uuid"]]
        return one(call, state.VOLUME, next(iter(visible(call, found)), None))
    hidden = object_store.find(call.world, call.params["uuid"])
    if hidden and visible(call, [hidden]):
        return one(call, state.VOLUME, hidden)
    return one(call, state.VOLUME, volume(call))


def _all(call: Call) -> Records:
    return seen(call, state.KIND).mapped(lambda record: autosize.settled(call.world, record))


def volume(call: Call, name: str = "uuid") -> Record:
    """The volume that the path names, or 404. That of a bucket is changed through the bucket only."""
    hidden = object_store.find(call.world, call.params[name])
    if hidden and visible(call, [hidden]):
        raise NotSupported(f'Volume "{hidden["name"]}" holds an S3 bucket; change or delete the bucket instead.')
    record = call.world.store.get(state.KIND, call.params[name])
    if record is None or not visible(call, [record]):
        raise NotFound(name)
    return autosize.settled(call.world, record)


def create(call: Call) -> Reply:
    body, world = call.body, call.world
    if not body.get("name"):
        raise MissingField("name")
    home = resolve(call, body.get("svm"))
    svm = ref(home)
    checks.check_name(world, body["name"], svm)
    record = new_record(call, body, svm, home)
    if record["junction"]:
        junctions.check(world, record, record["junction"])
    if (body.get("clone") or {}).get("is_flexclone"):
        return _clone(call, record)
    if (kind := (body.get("type") or "rw").lower()) not in ("rw", "dp"):
        raise NotSupported("The emulator makes read-write and data-protection volumes only.", "type")
    record["type"] = kind
    _place(call, record)
    owner = {"mode": DEFAULT_MODE, "uid": 0, "gid": 0} | owner_of(body)
    args = {"record": record, "owner": owner, "user_svm": call.user.svm}
    return _accept(call, "volume.create", args, record)


def _accept(call: Call, operation: str, args: dict[str, Any], record: Record) -> Reply:
    def shown() -> dict[str, Any] | None:
        made = call.world.store.get(state.KIND, record["uuid"])
        return state.VOLUME.show(call.world, made, state.VOLUME.wanted(None, instance=True)) if made else None

    location = f"/api/storage/volumes/{record['uuid']}"
    return accepted(call, operation, args, location=location, result=shown, svm=record["svm"])


def volume_record(world: World, svm: dict[str, str], facts: dict[str, Any]) -> Record:
    """A FlexVol with these facts, on the first aggregate that the SVM has; not stored yet."""
    home = world.store.get("svm", svm["uuid"])
    if home is None:
        raise NotFound("svm.uuid")
    aggregates = home["aggregates"] or world.store.find("aggregate")
    checks.check_name(world, facts["name"], svm)
    return _defaults(world, {}, svm, home) | {"aggregate": aggregates[0]["name"]} | facts


def new_record(call: Call, body: dict[str, Any], svm: dict[str, str], home: Record) -> Record:
    defaults = _defaults(call.world, body, svm, home)
    record = defaults | changes_of(call.world, body, defaults)
    settings.check(record, settings.of_body(body), new=True)
    locking.check_volume(call.world, defaults, record)
    kept.check_volume(call.world, record, settings.of_body(body), new=True)
    return record


def _defaults(world: World, body: dict[str, Any], svm: dict[str, str], home: Record) -> Record:
    from emulator.export_policies.state import DEFAULT, find

    return {
        "uuid": str(uuid4()),
        "svm": svm,
        "size": checks.DEFAULT_SIZE,
        "state": "online",
        "comment": "",
        "tags": [],
        "language": body.get("language") or home.get("language", svms.LANGUAGE),
        "create_time": world.clock.iso(),
        "aggregate": None,
        "junction": None,
        "nas": checks.owner_kept({"uid": 0, "gid": 0}),
        "options": {},
        "export_policy": find(world, svm, {"name": DEFAULT})["uuid"],
        "security_style": "unix",
        "guarantee": "volume",
        "snapshot_policy": home.get("snapshot_policy", svms.SNAPSHOT_POLICY),
        "locking": False,
        "clone": None,
    }


def _place(call: Call, record: Record) -> None:
    """Say on which aggregate, or aggregates, a new volume lies."""
    style, named = (call.body.get("style") or "").lower(), call.body.get("aggregates") or []
    if style not in ("", "flexvol", FLEXGROUP):
        raise errors.BadStyle(style)
    asked = call.body.get("constituents_per_aggregate") or call.body.get("constituent_count")
    if style == FLEXGROUP or (not style and (len(named) > 1 or asked)):
        record |= {"style": FLEXGROUP, "constituents": flexgroups.planned(call.world, call.body, record["size"])}
        return
    checks.check_size(record["size"])
    record["aggregate"] = aggregate(call, named)


def aggregate(call: Call, named: list[dict[str, Any]]) -> str:
    """The name of the one aggregate that a request names. 787140, 918242, or 4 for one that is not there."""
    known = call.world.store.find("aggregate")
    if not named:
        if call.body.get("style"):
            return known[0]["name"]
        raise errors.AggregatesMissing()
    if len(named) > 1:
        raise errors.OneAggregate()
    for each in known:
        if each["name"] == named[0].get("name") or each["uuid"] == named[0].get("uuid"):
            return each["name"]
    raise errors.NoSuchAggregate(named[0].get("name") or str(named[0].get("uuid")))


def _clone(call: Call, record: Record) -> Reply:
    body, wish = call.body, call.body["clone"]
    parent = _parent(call, wish, record["svm"])
    rules.check("clone", call.world, parent)
    if parent["svm"]["uuid"] != record["svm"]["uuid"] and record["junction"]:
        raise errors.PathWithParentSvm()
    for field in ("size", "aggregates"):
        if body.get(field) or (field == "size" and (body.get("space") or {}).get("size")):
            raise errors.NotForClone(field)
    snapshot = _parent_snapshot(call, wish.get("parent_snapshot") or {}, parent)
    if snapshot is None:
        rules.check("snapshot.create", call.world, parent)
    new_name = None if snapshot else _snapshot_for(call, record["name"], parent)
    uuid = snapshot["uuid"] if snapshot else str(uuid4())
    inherited = {key: parent[key] for key in ("size", "aggregate", "language")} | flexgroups.like(parent)
    if "security_style" not in (body.get("nas") or {}):
        inherited["security_style"] = parent["security_style"]
    record |= inherited | {
        "clone": {"parent": parent["uuid"], "snapshot": uuid},
        # A clone shares its parent's blocks, so it reserves nothing unless asked to.
        "guarantee": (body.get("guarantee") or {}).get("type", "none"),
    }
    args = {"record": record, "parent": parent["uuid"], "snapshot": uuid, "new_snapshot": new_name}
    return _accept(call, "volume.clone", args | {"owner": owner_of(body)}, record)


def _snapshot_for(call: Call, clone: str, parent: Record) -> str:
    """What ONTAP calls the snapshot that it takes for a clone of the volume as it is; counted within a second."""
    begin = f"clone_{clone}.{call.world.clock.now():%Y-%m-%d_%H%M%S}."
    taken = {snapshot["name"] for snapshot in call.world.store.find("snapshot", volume=parent["uuid"])}
    return next(name for number in count() if (name := f"{begin}{number}") not in taken)


def _parent(call: Call, wish: dict[str, Any], svm: dict[str, str]) -> Record:
    named = wish.get("parent_volume") or {}
    name, uuid = named.get("name"), named.get("uuid")
    if not name and not uuid:
        raise errors.ParentMissing()
    home = ref(resolve(call, wish["parent_svm"])) if wish.get("parent_svm") else svm
    found = [v for v in _all(call) if v["svm"]["uuid"] == home["uuid"] and (v["name"] == name or v["uuid"] == uuid)]
    if not found:
        raise errors.NoSuchParent(name or str(uuid))
    if name and uuid and (len(found) > 1 or (found[0]["name"], found[0]["uuid"]) != (name, uuid)):
        raise errors.ParentMismatch()
    return found[0]


def _parent_snapshot(call: Call, named: dict[str, Any], parent: Record) -> Record | None:
    name, uuid = named.get("name"), named.get("uuid")
    if not name and not uuid:
        return None
    found = snapshots.named(call.world, parent, name, uuid)
    if found is None:
        raise NoSuchSnapshot(name or str(uuid), parent["name"])
    if name and uuid and (found["name"], found["uuid"]) != (name, uuid):
        raise errors.SnapshotMismatch()
    return found


def modify(call: Call) -> Reply:
    record, world = volume(call), call.world
    body = merged(call.body, _restore_arguments(call))
    if body.get("restore_to"):
        rules.check("restore", world, record)
        return _restore(call, record, body)
    if (body.get("clone") or {}).get("split_initiated") is not None:
        rules.check("split", world, record)
        return splits.request(call, record, body)
    if body.get("movement"):
        return moves.request(call, record, body)
    rules.check("modify", world, record)
    check_fields(record, body)
    if body.get("name") and body["name"] != record["name"]:
        checks.check_name(world, body["name"], record["svm"])
    changes = changes_of(world, body, record)
    if "size" in changes:
        checks.check_size(changes["size"] // len(record.get("constituents") or [None]))
    settings.check(record | changes, settings.of_body(body), new=False)
    locking.check_volume(world, record, record | changes)
    kept.check_volume(world, record | changes, settings.of_body(body), new=False)
    if (maximum := changes["options"].get("files.maximum")) and maximum < world.dataplane.files(record["uuid"]):
        raise BadValue(maximum, "files.maximum", "at least as many as there are files")
    if body.get("tiering") and "min_cooling_days" in body["tiering"] and moves.under_way(world, record["uuid"]):
        raise errors.TieringWhileMoving()
    root.check_change(record, changes)
    junctions.check_move(world, record, changes)
    return accepted(call, "volume.modify", {"uuid": record["uuid"], "body": body}, svm=record["svm"])


def _restore_arguments(call: Call) -> dict[str, Any]:
    """``restore_to`` may come in the query instead of the body."""
    named = {name: call.query[name] for name in state.RESTORE_ARGUMENTS if name in call.query}
    return checked(named, state.PATCH_FIELDS)


def _restore(call: Call, record: Record, body: dict[str, Any]) -> Reply:
    for field in body:
        if field != "restore_to":
            raise errors.OnlyRestore(field)
    if record["state"] != "online":
        raise errors.VolumeOffline(record["name"])
    wish = body["restore_to"].get("snapshot") or {}
    snapshot = snapshots.named(call.world, record, wish.get("name"), wish.get("uuid"))
    if snapshot is None:
        raise NoSuchSnapshot(str(wish.get("name") or wish.get("uuid")), record["name"])
    args = {"uuid": record["uuid"], "snapshot": snapshot["uuid"]}
    return accepted(call, "volume.restore", args, svm=record["svm"])


def delete(call: Call) -> Reply:
    record = volume(call)
    root.check_delete(record)
    rules.check("delete", call.world, record)
    junctions.check_free(call.world, record)
    for snapshot in call.world.store.find(snapshots.KIND, volume=record["uuid"]):
        if snapshots.is_locked(call.world, snapshot):
            raise errors.HasLockedSnapshots(record["name"], snapshot["name"])
    return accepted(call, "volume.delete", {"uuid": record["uuid"]}, svm=record["svm"])
