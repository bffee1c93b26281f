"""Snapshots of a group: of all of its volumes or of none.

The trees of all volumes are made first, then all records in one transaction, so a kill leaves none of them: a tree
without a record is removed at the next start. In two phases, the trees lie there without records until the commit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from emulator import rules
from emulator.body import Accepts
from emulator.consistency_groups import errors, state
from emulator.fields import Shape, Wanted
from emulator.jobs import operation
from emulator.snapshots import state as volume_snapshots
from emulator.store import Record
from emulator.svms import parts
from emulator.values import one_of
from emulator.volumes import operations as volumes
from emulator.volumes.settings import usable_bytes

if TYPE_CHECKING:
    from emulator.world import World

KIND = parts.belongs("consistency_group_snapshot")
TIMEOUT_S, TIMEOUT_MAX_S = 7, 90
POST_FIELDS: Accepts = {
    "name": volume_snapshots.PATCH_FIELDS["name"],
    "comment": volume_snapshots.comment,
    "snapmirror_label": volume_snapshots.label,
    "consistency_type": one_of("crash", "application"),
}


def render(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    group = world.store.get(state.KIND, record["group"]) or {}
    pairs = [(part, world.store.get("volume", part["volume"])) for part in record["parts"]]
    there = [(part, volume) for part, volume in pairs if world.store.get("snapshot", part["snapshot"])]
    gone = [volume["name"] for part, volume in pairs if volume and (part, volume) not in there]
    return {
        "uuid": record["uuid"],
        "name": record["name"],
        "svm": record["svm"],
        "consistency_group": {"uuid": record["group"], "name": group.get("name")},
        "comment": record["comment"],
        "snapmirror_label": record["label"],
        "consistency_type": record["consistency_type"],
        "create_time": record["create_time"],
        "is_partial": len(there) < len(pairs),
        "missing_volumes": [{"name": name} for name in gone] or None,
        "snapshot_volumes": [
            {
                "snapshot": {"uuid": part["snapshot"], "name": record["name"]},
                "volume": {"uuid": part["volume"], "name": volume["name"] if volume else None},
            }
            for part, volume in there
        ],
    }


SNAPSHOT = Shape(
    href="/application/consistency-groups/{consistency_group.uuid}/snapshots/{uuid}",
    keys=("uuid", "name", "consistency_group.uuid"),
    common=("consistency_group.name", "svm.name", "svm.uuid", "comment", "snapmirror_label", "consistency_type")
    + ("create_time", "is_partial", "missing_volumes.name", "snapshot_volumes.snapshot.uuid")
    + ("snapshot_volumes.snapshot.name", "snapshot_volumes.volume.uuid", "snapshot_volumes.volume.name"),
    costly=(),
    render=render,
)


def of(world: World, group: Record) -> list[Record]:
    """Those that are committed."""
    return [record for record in world.store.find(KIND) if record["group"] == group["uuid"] and not record["deadline"]]


def new(world: World, group: Record, body: dict[str, Any], timeout_s: int | None) -> Record:
    """What is to be taken; not stored yet. With a time-out, it waits for its commit."""
    now = world.clock.now()
    return {
        "uuid": str(uuid4()),
        "group": group["uuid"],
        "svm": group["svm"],
        "name": body.get("name") or f"snapshot.{now:%Y-%m-%d_%H%M%S}",
        "comment": body.get("comment") or "",
        "label": body.get("snapmirror_label"),
        "consistency_type": body.get("consistency_type") or "crash",
        "create_time": world.clock.iso(),
        "deadline": world.clock.iso(now + timedelta(seconds=timeout_s + 1)) if timeout_s else None,
        "parts": [{"volume": uuid, "snapshot": str(uuid4())} for uuid in group["volumes"]],
    }


def check(world: World, group: Record, name: str) -> None:
    """Whatever would keep one volume from being frozen keeps all of them from it."""
    if any(record["name"] == name for record in of(world, group)):
        raise errors.SnapshotExists(name, group["name"])
    for uuid in group["volumes"]:
        volume = world.store.get("volume", uuid)
        if volume is None:
            raise errors.NoSuchVolume(uuid, group["svm"]["name"])
        rules.check("snapshot.create", world, volume)
        volume_snapshots.check_name(world, name, volume)
        volume_snapshots.check_limit(world, volume)
        if volume["state"] != "online" or world.dataplane.used(uuid) > usable_bytes(volume):
            raise volume_snapshots.errors.NotReady(volume["name"])


@contextmanager
def _all_locked(world: World, volumes: list[str]) -> Iterator[None]:
    with ExitStack() as stack:
        for uuid in sorted(volumes):
            stack.enter_context(world.dataplane.lock(uuid))
        yield


@operation("consistency_group.snapshot")
def take(world: World, args: dict[str, Any]) -> None:
    record, group = args["record"], world.store.get(state.KIND, args["record"]["group"])
    if group is None:
        raise errors.NoSuchGroup(record["group"])
    if world.store.get(KIND, record["uuid"]):
        return
    with _all_locked(world, group["volumes"]):
        check(world, group, record["name"])
        sizes = {
            part["volume"]: world.dataplane.create_snapshot(part["volume"], part["snapshot"], record["name"])
            for part in record["parts"]
        }
        with world.store.transaction():
            world.store.insert(KIND, record | {"sizes": sizes})
            if not record["deadline"]:
                _publish(world, record | {"sizes": sizes})


def _publish(world: World, record: Record) -> None:
    for part in record["parts"]:
        world.store.insert(volume_snapshots.KIND, _of_volume(world, record, part))


def _of_volume(world: World, record: Record, part: dict[str, str]) -> Record:
    volume = world.store.get("volume", part["volume"])
    return {
        "uuid": part["snapshot"],
        "name": record["name"],
        "comment": record["comment"],
        "label": record["label"],
        "expiry_time": None,
        "lock_until": None,
        "owners": [],
        "volume": part["volume"],
        "svm": volume["svm"] if volume else record["svm"],
        "create_time": record["create_time"],
        "size": record["sizes"][part["volume"]],
        "version_uuid": str(uuid4()),
    }


def commit(world: World, record: Record) -> None:
    """The second phase. After its time, or after a restart that took the trees away, nothing is left to commit."""
    parts_there = all(world.dataplane.snapshot_dir(part["volume"], record["name"]).is_dir() for part in record["parts"])
    late = not record["deadline"] or datetime.fromisoformat(record["deadline"]) < world.clock.now()
    if late or not parts_there:
        abort(world, record)
        raise errors.NothingToCommit(record["name"])
    with world.store.transaction():
        world.store.update(KIND, record["uuid"], deadline=None)
        _publish(world, record)


def abort(world: World, record: Record) -> None:
    """Forget a first phase that was not followed by a commit, and its trees."""
    if not record["deadline"]:
        return
    world.store.delete(KIND, record["uuid"])
    for part in record["parts"]:
        if world.store.get("volume", part["volume"]):
            world.dataplane.delete_snapshot(part["volume"], part["snapshot"], record["name"])


@operation("consistency_group.snapshot.delete")
def delete(world: World, args: dict[str, Any]) -> None:
    record = world.store.get(KIND, args["uuid"])
    if record is None:
        return
    with _all_locked(world, [part["volume"] for part in record["parts"]]):
        there = list(_there(world, record))
        for volume, snapshot in there:
            volume_snapshots.check_removable(world, volume, snapshot)
            volume_snapshots.check_not_busy(world, volume, snapshot)
        for volume, snapshot in there:
            volume_snapshots.remove(world, volume, snapshot)
        world.store.delete(KIND, record["uuid"])


def _there(world: World, record: Record) -> Iterator[tuple[Record, Record]]:
    for part in record["parts"]:
        volume, snapshot = world.store.get("volume", part["volume"]), world.store.get("snapshot", part["snapshot"])
        if volume and snapshot:
            yield volume, snapshot


@operation("consistency_group.restore")
def restore(world: World, args: dict[str, Any]) -> None:
    """All volumes or none: what would keep one from it is found before the first is touched."""
    record = world.store.get(KIND, args["snapshot"])
    if record is None:
        raise errors.NoSuchSnapshot(args["snapshot"], args["group"])
    with _all_locked(world, [part["volume"] for part in record["parts"]]):
        pairs = list(_there(world, record))
        for volume, snapshot in pairs:
            for later in volume_snapshots.newer_than(world, snapshot):
                volume_snapshots.check_removable(world, volume, later)
                volume_snapshots.check_not_busy(world, volume, later)
        done = list(args.get("done", ()))
        for volume, snapshot in pairs:
            # After a kill, what was written since into a volume that was restored before it is not lost.
            if volume["uuid"] not in done:
                volumes.restore(world, {"uuid": volume["uuid"], "snapshot": snapshot["uuid"], "job": args["job"]})
                done.append(volume["uuid"])
                world.jobs.remember(args, done=done)


def check_whole(world: World, record: Record) -> None:
    for part in record["parts"]:
        volume = world.store.get("volume", part["volume"])
        if volume is None or world.store.get("snapshot", part["snapshot"]) is None:
            raise errors.PartialRestore(record["name"], volume["name"] if volume else part["volume"])
        rules.check("restore", world, volume)
