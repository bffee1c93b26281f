"""What jobs do to caches. Each may be killed anywhere and done again from the start."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emulator import kept
from emulator.errors import NotFound
from emulator.flexcache import errors, origins, remote, state, views
from emulator.jobs import operation
from emulator.store import Record
from emulator.volumes import checks, junctions, settings
from emulator.volumes import operations as volumes

if TYPE_CHECKING:
    from emulator.world import World

KIND = state.KIND


@operation("flexcache.create")
def create(world: World, args: dict[str, Any]) -> None:
    record, cache = args["record"], args["cache"]
    if world.store.get(KIND, record["uuid"]) is None:
        volumes.check_delegated(world, args)
        checks.check_aggregate_room(world, record, record["size"])
        origin = views.origin_of(world, cache)
        try:
            remote.register(world, cache, _told(world, record, cache))
            _make(world, record, cache, Path(origin["data"]))
        except errors.OntapError:
            # Told of one that never came to be, the origin forgets it now or when its name is used again.
            with contextlib.suppress(errors.OntapError):
                remote.forget(world, cache)
            raise
    if wish := args["prepopulate"]:
        prepopulate(world, {"uuid": record["uuid"], "wish": wish})


def _make(world: World, record: Record, cache: Record, origin: Path) -> None:
    world.dataplane.create_cache(record["uuid"], origin)
    with world.dataplane.namespace.lock, world.store.transaction():
        volumes.add(world, record)
        world.store.insert(KIND, cache)


def _told(world: World, record: Record, cache: Record) -> dict[str, Any]:
    """What the origin's cluster is told of a cache."""
    return {
        "uuid": record["uuid"],
        "cluster": origins.cluster(world),
        "svm": record["svm"],
        "volume": {"name": record["name"], "uuid": record["uuid"]},
        "size": record["size"],
        "state": "online",
        "create_time": cache["create_time"],
        "ip_address": cache["own_ip_address"],
    }


@operation(state.PREPOPULATE)
def prepopulate(world: World, args: dict[str, Any]) -> None:
    """Copy the files of folders into the cache; done again, it goes on where it was."""
    wish = args["wish"]
    cache, volume = world.store.get(KIND, args["uuid"]), world.store.get("volume", args["uuid"])
    if cache is None or volume is None:
        raise NotFound()
    origin = views.origin_of(world, cache)
    state.check_prepopulate(world, volume, wish, origin)
    top = Path(origin["data"])
    recurse, without = wish.get("recurse", True), wish.get("exclude_dir_paths") or []
    with world.dataplane.lock(args["uuid"]):
        copies = world.dataplane.kept_by(args["uuid"])
        for folder in wish["dir_paths"]:
            paths = kept.files_below(top, folder, recurse=recurse, without=without)
            copies.keep(top, paths, settings.usable_bytes(volume))


@operation("flexcache.modify")
def modify(world: World, args: dict[str, Any]) -> None:
    cache = world.store.get(KIND, args["uuid"])
    if cache is None:
        raise NotFound()
    changes = state.settings_of(args["body"], cache)
    relative = changes.get("relative_size") or {}
    with world.dataplane.lock(args["uuid"]):
        world.store.update(KIND, args["uuid"], **changes)
        if relative.get("enabled") and relative.get("percentage"):
            _resize(world, args["uuid"], views.origin_of(world, cache)["size"] * relative["percentage"] // 100)


def _resize(world: World, uuid: str, size: int) -> None:
    """What no longer fits is removed from the cache: nothing is lost, since the origin has it."""
    volume = world.store.get("volume", uuid)
    size = max(size, checks.MINIMUM_SIZE)
    if volume is None or size == volume["size"]:
        return
    checks.check_aggregate_room(world, volume, max(0, size - volume["size"]))
    world.dataplane.kept_by(uuid).shrink(settings.usable_bytes(volume | {"size": size}))
    world.store.update("volume", uuid, size=size)


@operation("flexcache.delete")
def delete(world: World, args: dict[str, Any]) -> None:
    uuid = args["uuid"]
    with world.dataplane.lock(uuid), world.dataplane.namespace.lock:
        cache, volume = world.store.get(KIND, uuid), world.store.get("volume", uuid)
        if cache is None:
            return
        if volume:
            if volume["junction"]:
                raise errors.StillMounted(volume["name"], volume["junction"])
            junctions.check_free(world, volume)
        remote.forget(world, cache)
        with world.store.transaction():
            world.store.delete(KIND, uuid)
            if volume:
                world.store.delete("volume", uuid)
        world.dataplane.delete_volume(uuid)
