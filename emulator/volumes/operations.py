"""What jobs do to volumes. Each may be killed anywhere and done again from the start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emulator.errors import NotFound
from emulator.jobs import operation
from emulator.qos import state as qos
from emulator.snapshots import state as snapshots
from emulator.store import Record
from emulator.volumes import errors, root, state

if TYPE_CHECKING:
    from emulator.world import World

KIND = state.KIND


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
    _check_delegated(world, args)
    state.check_aggregate_room(world, record, record["size"])
    world.dataplane.create_volume(record["uuid"], **args["owner"])
    _add(world, record)


def _check_delegated(world: World, args: dict[str, Any]) -> None:
    record = args["record"]
    svm = world.store.get("svm", record["svm"]["uuid"])
    if svm is None:
        raise NotFound("svm.uuid")
    if args["user_svm"] and all(a["name"] != record["aggregate"] for a in svm["aggregates"]):
        raise errors.AggregateNotDelegated(record["aggregate"], svm["name"])


def _add(world: World, record: Record) -> None:
    """The last step of making a volume: the record, unless another job was faster with the name or the path."""
    try:
        with world.store.transaction():
            state.check_name(world, record["name"], record["svm"])
            if record["junction"]:
                state.check_path(world, record["junction"], record["svm"], record["uuid"])
            world.store.insert(KIND, record)
    except errors.OntapError:
        world.dataplane.delete_volume(record["uuid"])
        raise
    show_in_namespace(world, record)


def show_in_namespace(world: World, record: Record) -> None:
    """A volume is seen at its junction path while it is online; the root volume is the namespace's directory itself."""
    if record["junction"] and record["state"] == "online" and not root.is_root(record):
        world.dataplane.mount(record["svm"]["name"], record["junction"], record["uuid"])


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
    state.check_room(world, parent)
    # No lock: the open job itself keeps the snapshot from being removed, so clones of one parent run side by side.
    world.dataplane.clone_volume(
        record["uuid"], parent=parent["uuid"], snapshot=snapshot["uuid"], name=snapshot["name"]
    )
    if args["owner"]:
        world.dataplane.set_owner(record["uuid"], **args["owner"])
    _add(world, record)


@operation("volume.modify")
def modify(world: World, args: dict[str, Any]) -> None:
    body = args["body"]
    with world.dataplane.lock(args["uuid"]):
        old = _volume(world, args["uuid"])
        changes = _changes(world, old, body)
        with world.store.transaction():
            if changes.get("name", old["name"]) != old["name"]:
                state.check_name(world, changes["name"], old["svm"])
            if (path := changes.get("junction")) and path != old["junction"]:
                state.check_path(world, path, old["svm"], old["uuid"])
            record = world.store.update(KIND, old["uuid"], **changes)
        if owner := owner_of(body):
            world.dataplane.set_owner(old["uuid"], **owner)
        if old["junction"] and (record["junction"] != old["junction"] or record["state"] == "offline"):
            world.dataplane.unmount(old["svm"]["name"], old["junction"])
        show_in_namespace(world, record)


def _changes(world: World, old: Record, body: dict[str, Any]) -> dict[str, Any]:
    changes = changes_of(world, body, old)
    if (size := changes.get("size")) is not None:
        used = world.dataplane.used(old["uuid"])
        if size < used:
            raise errors.UsedExceedsSize(old["name"], size, used)
        state.check_aggregate_room(world, old, max(0, size - old["size"]))
    if changes.get("locking") is False and old["locking"]:
        raise errors.LockingStays(old["name"])
    return changes


def changes_of(world: World, body: dict[str, Any], old: Record) -> dict[str, Any]:
    """The fields of a request as they lie in the record; ``old`` has at least ``svm``, ``nas`` and ``options``."""
    from emulator.export_policies.state import find

    nas = body.get("nas") or {}
    changes = {key: body[key] for key in ("name", "size", "comment", "state") if body.get(key) is not None}
    if body.get("_tags") is not None:
        changes["tags"] = body["_tags"]
    changes["nas"] = old["nas"] | state.owner_kept(nas)
    if nas.get("path") is not None:
        changes["junction"] = nas["path"] or None
    if nas.get("security_style"):
        changes["security_style"] = nas["security_style"]
    if policy := nas.get("export_policy"):
        changes["export_policy"] = find(world, old["svm"], policy)["uuid"]
    if kind := (body.get("guarantee") or {}).get("type"):
        changes["guarantee"] = kind
    if name := (body.get("snapshot_policy") or {}).get("name"):
        changes["snapshot_policy"] = name
    if body.get("snapshot_locking_enabled") is not None:
        changes["locking"] = body["snapshot_locking_enabled"]
    return changes | {"options": old["options"] | _options_of(body) | _qos_of(world, body, old)}


def _qos_of(world: World, body: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
    wish = (body.get("qos") or {}).get("policy")
    return {"qos.policy.uuid": qos.wished(world, old["svm"], wish)} if wish else {}


def _options_of(body: dict[str, Any]) -> dict[str, Any]:
    options = {}
    for name in state.OPTIONS:
        value: Any = body
        for part in name.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None:
            options[name] = value
    return options


def owner_of(body: dict[str, Any]) -> dict[str, int]:
    """What a request says about the root of the volume, as arguments of ``DataPlane.set_owner``."""
    nas = body.get("nas") or {}
    named = {"mode": nas.get("unix_permissions"), "uid": nas.get("uid"), "gid": nas.get("gid")}
    return {key: value for key, value in named.items() if value is not None}


@operation("volume.split")
def split(world: World, args: dict[str, Any]) -> None:
    """From now on the clone shares nothing. Its files are its own already, so only the record changes."""
    record = _volume(world, args["uuid"])
    if record["clone"] is None:
        return
    state.check_aggregate_room(world, record, record["size"])
    world.store.update(KIND, record["uuid"], clone=None)


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
            world.dataplane.restore(volume["uuid"], prepared)
        for later in newer:
            snapshots.remove(world, volume, later)


@operation("volume.delete")
def delete(world: World, args: dict[str, Any]) -> None:
    with world.dataplane.lock(args["uuid"]):
        record = world.store.get(KIND, args["uuid"])
        if record is None:
            return
        with world.store.transaction():
            if clones := state.clones_of(world, record["uuid"]):
                raise errors.HasClones(record["name"], clones)
            for snapshot in world.store.find(snapshots.KIND, volume=record["uuid"]):
                world.store.delete(snapshots.KIND, snapshot["uuid"])
            world.store.delete(KIND, record["uuid"])
        if record["junction"]:
            world.dataplane.unmount(record["svm"]["name"], record["junction"])
        world.dataplane.delete_volume(record["uuid"])
