"""What jobs do to relationships. Each may be killed anywhere and done again from the start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emulator.errors import NotFound, OntapError
from emulator.jobs import operation
from emulator.jobs.operations import OPERATIONS
from emulator.snapmirror import errors, source, state
from emulator.snapmirror.rules import is_dp
from emulator.snapmirror_transfers import state as transfers
from emulator.snapshots import state as snapshots
from emulator.store import Record
from emulator.volumes import junctions

if TYPE_CHECKING:
    from emulator.world import World

_FOR = {"uninitialized": "initialize", "broken_off": "resync"}


@operation("snapmirror.create")
def create(world: World, args: dict[str, Any]) -> None:
    record = args["record"]
    if world.store.get(state.KIND, record["uuid"]) is None:
        if known := state.at(world, record["destination"]):
            raise errors.RelationshipExists(known["source"], record["destination"])
        told = source.ask(world, record, "volume")
        if args["creation"].get("enabled"):
            _create_volume(world, args, told)
        world.store.insert(state.KIND, _checked(world, record, told))
    if args["state"]:
        _begin(world, args["record"]["uuid"], "initialize")


def _create_volume(world: World, args: dict[str, Any], told: dict[str, Any]) -> None:
    """A volume of type dp with the properties of the source."""
    from emulator.volumes.handlers import volume_record

    if world.store.get("volume", args["volume"]):
        return
    record = args["record"]
    name = record["destination"].partition(":")[2]
    facts = {"uuid": args["volume"], "name": name, "type": "dp", "size": args["creation"].get("size") or told["size"]}
    facts |= {"language": told["language"], "security_style": told["security_style"], "guarantee": "none"}
    if tiering := (args["creation"].get("tiering") or {}).get("policy"):
        facts["options"] = {"tiering.policy": tiering}
    try:
        made = volume_record(world, record["svm"], facts)
        owner = {"mode": 0o755, "uid": 0, "gid": 0}
        OPERATIONS["volume.create"](world, {"record": made, "owner": owner, "user_svm": args["user_svm"]})
    except OntapError as error:
        raise errors.CreationFailed(error.message) from error


def _checked(world: World, record: Record, told: dict[str, Any]) -> Record:
    """The record with its volumes. 917731 for none, 6619546 for one that is written and has nothing in common."""
    name = record["destination"].partition(":")[2]
    found = world.store.find("volume", svm__uuid=record["svm"]["uuid"], name=name)
    if not found:
        raise errors.NoVolume(record["destination"], "destination.path")
    volume = found[0]
    if volume["uuid"] == told["uuid"]:
        raise errors.NotDp(record["destination"])
    facts = {"source_volume": told["uuid"], "destination_volume": volume["uuid"]}
    if is_dp(volume):
        return record | facts
    versions = {each["version_uuid"] for each in told["snapshots"]}
    ours = world.store.find(snapshots.KIND, volume=volume["uuid"])
    if not any(each["version_uuid"] in versions for each in ours):
        raise errors.NotDp(record["destination"])
    return record | facts | {"state": "broken_off"}


def _begin(world: World, uuid: str, kind: str, **facts: Any) -> None:
    """A transfer, unless one runs."""
    record = world.store.get(state.KIND, uuid)
    if record is None or transfers.running(world, uuid):
        return
    begin(world, record, kind, **facts)


def begin(world: World, record: Record, kind: str, **facts: Any) -> Record:
    made = transfers.new(world, record, kind, **facts)
    stem = source.stem(record["svm"]["uuid"], record["destination_volume"])
    # Of two transfers within a second each has a snapshot of its own.
    take = f"{stem}{world.clock.now():%Y-%m-%d_%H%M%S}.{made['uuid']}"
    return world.transfers.begin(made | {"take": take})


@operation("snapmirror.modify")
def modify(world: World, args: dict[str, Any]) -> None:
    record = world.store.get(state.KIND, args["uuid"])
    if record is None:
        raise NotFound()
    if args["changes"]:
        record = world.store.update(state.KIND, record["uuid"], **args["changes"])
    wanted, now = args["state"], record["state"]
    if wanted == "broken_off":
        _break(world, record, args)
    elif wanted == "paused":
        _pause(world, record)
    elif wanted in ("snapmirrored", "in_sync"):
        if now in _FOR:
            _check_can_begin(world, record, now)
            _begin(world, record["uuid"], _FOR[now], preserve=bool(args["preserve"]))
        elif now == "paused":
            world.store.update(state.KIND, record["uuid"], state=wanted, looked_at=world.clock.iso())


def _check_can_begin(world: World, record: Record, now: str) -> None:
    """13303810 where a resync could not even begin: no common snapshot, or nobody there to ask."""
    if now != "broken_off":
        return
    versions = {each["version_uuid"] for each in source.ask(world, record, "volume")["snapshots"]}
    ours = world.store.find(snapshots.KIND, volume=record["destination_volume"])
    if not any(each["version_uuid"] in versions for each in ours):
        reason = f'No common snapshot found between "{record["source"]}" and "{record["destination"]}".'
        raise errors.ResyncFailed(record["destination"], reason)


def _pause(world: World, record: Record) -> None:
    if record["state"] in _FOR:
        raise errors.WrongTransition(record["destination"], record["state"], "paused")
    world.store.update(state.KIND, record["uuid"], state="paused")


def _break(world: World, record: Record, args: dict[str, Any]) -> None:
    """Make the destination writable, as its last snapshot has it or as the one asked for."""
    if record["state"] == "uninitialized":
        raise errors.WrongTransition(record["destination"], record["state"], "broken_off")
    if transfers.running(world, record["uuid"]):
        raise errors.BreakFailed(record["destination"], "Another transfer is in progress.")
    if record["state"] == "broken_off":
        return
    with world.dataplane.lock(record["destination_volume"]):
        volume = world.store.get("volume", record["destination_volume"])
        if volume is None:
            raise NotFound("destination")
        snapshot = _to_restore(world, record, volume, args["restore_to_snapshot"])
        with world.dataplane.namespace.lock:
            prepared, _ = world.dataplane.prepare_restore(volume["uuid"], snapshot["uuid"], snapshot["name"])
            world.dataplane.restore(volume["uuid"], prepared, junctions.links_inside(world, volume))
        with world.store.transaction():
            world.store.update("volume", volume["uuid"], type="rw")
            world.store.update(state.KIND, record["uuid"], state="broken_off")
            for each in world.store.find(snapshots.KIND, volume=volume["uuid"]):
                world.store.update(snapshots.KIND, each["uuid"], owners=[])


def _to_restore(world: World, record: Record, volume: Record, name: str | None) -> Record:
    uuid = None if name else record["exported"]
    found = snapshots.named(world, volume, name, uuid)
    if found is None:
        raise errors.BreakFailed(record["destination"], f'There is no snapshot "{name or uuid}".')
    return found


@operation("snapmirror.delete")
def delete(world: World, args: dict[str, Any]) -> None:
    if args["source_only"] or args["source_info_only"]:
        if known := world.store.get(state.SOURCE, args["uuid"]):
            source.forget(world, known, keep_snapshots=args["source_info_only"])
        return
    record = world.store.get(state.KIND, args["uuid"])
    if record is None:
        return
    if not args["destination_only"]:
        source.ask(world, record, "release")
    with world.store.transaction():
        for each in world.store.find(snapshots.KIND, volume=record["destination_volume"] or ""):
            if source.OWNER in each["owners"]:
                world.store.update(snapshots.KIND, each["uuid"], owners=[])
        for transfer in transfers.of(world, record["uuid"]):
            world.store.delete(transfers.KIND, transfer["uuid"])
        world.store.delete(state.KIND, record["uuid"])
