"""What jobs do to volumes. Each may be killed anywhere and done again from the start."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from emulator.efficiency_policies import state as efficiency_policies
from emulator.errors import NotFound
from emulator.jobs import operation
from emulator.namespace import Blocked
from emulator.qos import state as qos
from emulator.snapshot_policies import state as snapshot_policies
from emulator.snapshots import state as snapshots
from emulator.store import Record
from emulator.volumes import autosize, belongings, checks, encryption, errors, junctions, settings
from emulator.volumes.places import aggregates_of

if TYPE_CHECKING:
    from emulator.world import World

KIND = checks.KIND


def _volume(world: World, uuid: str) -> Record:
    record = world.store.get(KIND, uuid)
    if record is None:
        raise NotFound()
    return record


@operation("volume.create")
def create(world: World, args: dict[str, Any]) -> None:
    record = args["record"]
    if world.store.get(KIND, record["uuid"]):
        return
    check_delegated(world, args)
    encryption.check(world, record | {"options": {}}, record["options"])
    checks.check_aggregate_room(world, record, record["size"])
    world.dataplane.create_volume(record["uuid"], **args["owner"])
    add(world, record)


def check_delegated(world: World, args: dict[str, Any]) -> None:
    record = args["record"]
    svm = world.store.get("svm", record["svm"]["uuid"])
    if svm is None:
        raise NotFound("svm.uuid")
    delegated = {aggregate["name"] for aggregate in svm["aggregates"]}
    for name in aggregates_of(record) if args["user_svm"] else ():
        if name not in delegated:
            raise errors.AggregateNotDelegated(name, svm["name"])


def add(world: World, record: Record) -> None:
    """The last step of making a volume: junction and record, or neither when another job was faster or it cannot be.

    The junction comes first: after a kill, one without a record is taken away.
    """
    try:
        with world.dataplane.namespace.lock, world.store.transaction():
            checks.check_name(world, record["name"], record["svm"])
            if record["junction"]:
                junctions.check(world, record, record["junction"])
                junctions.show(world, record)
            world.store.insert(KIND, record)
    except errors.OntapError:
        world.dataplane.delete_volume(record["uuid"])
        raise


@operation("volume.clone")
def clone(world: World, args: dict[str, Any]) -> None:
    record = args["record"]
    if world.store.get(KIND, record["uuid"]):
        return
    parent = _volume(world, args["parent"])
    if args["new_snapshot"] and not world.store.get(snapshots.KIND, args["snapshot"]):
        snapshots.take(world, parent, {"uuid": args["snapshot"], "name": args["new_snapshot"]})
    snapshot = world.store.get(snapshots.KIND, args["snapshot"])
    if snapshot is None:
        raise NotFound("clone.parent_snapshot")
    checks.check_room(world, autosize.settled(world, parent))
    # No lock: the open job itself keeps the snapshot from being removed, so clones of one parent run side by side.
    world.dataplane.clone_volume(
        record["uuid"], parent=parent["uuid"], snapshot=snapshot["uuid"], name=snapshot["name"]
    )
    if args["owner"]:
        world.dataplane.set_owner(record["uuid"], **args["owner"])
    add(world, record)


@operation("volume.modify")
def modify(world: World, args: dict[str, Any]) -> None:
    body = args["body"]
    with world.dataplane.lock(args["uuid"]):
        old = _volume(world, args["uuid"])
        changes = _changes(world, old, body)
        if changes.get("name", old["name"]) != old["name"]:
            checks.check_name(world, changes["name"], old["svm"])
        with world.dataplane.namespace.lock:
            junctions.check_move(world, old, changes)
            if owner := owner_of(body):
                world.dataplane.set_owner(old["uuid"], **owner)
            _move(world, old, old | changes)
            with world.store.transaction():
                belongings.follow(world, old, old | changes)
                world.store.update(KIND, old["uuid"], **changes)


def _move(world: World, old: Record, new: Record) -> None:
    """Junctions before records: done again after a kill, it finds the old one gone and makes the new one."""
    if junctions.seen_at(old) == junctions.seen_at(new):
        return
    junctions.hide(world, old)
    try:
        junctions.show(world, new)
    except errors.OntapError:
        junctions.show(world, old)
        raise


def _changes(world: World, old: Record, body: dict[str, Any]) -> dict[str, Any]:
    changes = changes_of(world, body, old)
    if (size := changes.get("size")) is not None:
        used = world.dataplane.used(old["uuid"])
        if settings.usable_bytes(old | changes) < used:
            raise errors.UsedExceedsSize(old["name"], size, used)
        checks.check_aggregate_room(world, old, max(0, size - old["size"]))
    encryption.check(world, old, changes["options"])
    if changes.get("locking") is False and old["locking"]:
        raise errors.LockingStays(old["name"])
    return changes


def changes_of(world: World, body: dict[str, Any], old: Record) -> dict[str, Any]:
    """The fields of a request as they lie in the record; ``old`` has at least ``svm``, ``nas`` and ``options``."""
    from emulator.export_policies.state import find

    nas = body.get("nas") or {}
    changes: dict[str, Any] = {
        key: body[key] for key in ("name", "size", "comment", "state") if body.get(key) is not None
    }
    size = (body.get("space") or {}).get("size")
    if size is not None and changes.setdefault("size", size) != size:
        raise errors.SizesDiffer(changes["size"], size)
    if body.get("_tags") is not None:
        changes["tags"] = body["_tags"]
    changes["nas"] = old["nas"] | checks.owner_kept(nas)
    if nas.get("path") is not None:
        changes["junction"] = nas["path"] or None
    if nas.get("security_style"):
        changes["security_style"] = nas["security_style"]
    if policy := nas.get("export_policy"):
        changes["export_policy"] = find(world, old["svm"], policy)["uuid"]
    if kind := (body.get("guarantee") or {}).get("type"):
        changes["guarantee"] = kind
    if wish := {key: value for key, value in (body.get("snapshot_policy") or {}).items() if value}:
        changes["snapshot_policy"] = snapshot_policies.usable(world, old["svm"], wish)["name"]
    if body.get("snapshot_locking_enabled") is not None:
        changes["locking"] = body["snapshot_locking_enabled"]
    given = settings.of_body(body)
    if policy := given.get("efficiency.policy.name"):
        efficiency_policies.check_usable(world, old["svm"], policy)
    options = settings.changed(old, given, (old | changes)["size"])
    return changes | {"options": options | _qos_of(world, body, old)}


def _qos_of(world: World, body: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
    wish = (body.get("qos") or {}).get("policy")
    return {"qos.policy.uuid": qos.wished(world, old["svm"], wish)} if wish else {}


def owner_of(body: dict[str, Any]) -> dict[str, int]:
    """What a request says about the root of the volume, as arguments of ``DataPlane.set_owner``."""
    nas = body.get("nas") or {}
    named = {"mode": nas.get("unix_permissions"), "uid": nas.get("uid"), "gid": nas.get("gid")}
    return {key: value for key, value in named.items() if value is not None}


@operation("volume.restore")
def restore(world: World, args: dict[str, Any]) -> None:
    """Exchange the live files for a copy of a snapshot; snapshots taken after it go, as on ONTAP."""
    with world.dataplane.lock(args["uuid"]):
        volume = _volume(world, args["uuid"])
        snapshot = world.store.get(snapshots.KIND, args["snapshot"])
        if snapshot is None:
            raise snapshots.errors.NoSuchSnapshot(args["snapshot"], volume["name"])
        newer = snapshots.newer_than(world, snapshot)
        for later in newer:
            snapshots.check_removable(world, volume, later)
            snapshots.check_not_busy(world, volume, later)
        # After a kill, the inode of the live directory tells whether the exchange had been made.
        if args.get("prepared_inode") != world.dataplane.live_inode(volume["uuid"]):
            prepared, inode = world.dataplane.prepare_restore(volume["uuid"], snapshot["uuid"], snapshot["name"])
            world.jobs.remember(args, prepared_inode=inode)
            _exchange(world, volume, prepared)
        for later in newer:
            snapshots.remove(world, volume, later)


def _exchange(world: World, volume: Record, prepared: Path) -> None:
    """What is mounted inside the volume stays mounted there."""
    with world.dataplane.namespace.lock:
        try:
            world.dataplane.restore(volume["uuid"], prepared, junctions.links_inside(world, volume))
        except Blocked as reason:
            raise errors.RestoreOverJunction(volume["name"], str(reason)) from reason


@operation("volume.delete")
def delete(world: World, args: dict[str, Any]) -> None:
    with world.dataplane.lock(args["uuid"]), world.dataplane.namespace.lock:
        record = world.store.get(KIND, args["uuid"])
        if record is None:
            return
        junctions.check_free(world, record)
        with world.store.transaction():
            if clones := checks.clones_of(world, record["uuid"]):
                raise errors.HasClones(record["name"], clones)
            for snapshot in world.store.find(snapshots.KIND, volume=record["uuid"]):
                world.store.delete(snapshots.KIND, snapshot["uuid"])
            belongings.remove(world, record["uuid"])
            # Within the transaction: when a clone is in the way, the volume stays where it is.
            junctions.hide(world, record)
            world.store.delete(KIND, record["uuid"])
        world.dataplane.delete_volume(record["uuid"])
