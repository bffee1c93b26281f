"""Where a cache's files come from: a volume of this cluster, or one of a peered cluster."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from emulator import kept
from emulator.fields import Shape, Wanted
from emulator.flexcache import errors
from emulator.store import Record

if TYPE_CHECKING:
    from emulator.world import World

KIND = "flexcache_origin"
"""A record for each cache that a volume of this cluster is the origin of; ``uuid`` is the cache's."""


def here(world: World, wish: dict[str, Any], svm: dict[str, Any]) -> dict[str, Any]:
    """The facts of a volume of this SVM that is to be an origin. 66846730, 66846844, and 3 for a cache."""
    name, uuid = wish.get("name"), wish.get("uuid")
    found = [v for v in world.store.find("volume", svm__uuid=svm["uuid"]) if v["uuid"] == uuid or v["name"] == name]
    if not found:
        _check_no_bucket(world, name, uuid)
        raise errors.NoSuchOrigin(name or str(uuid), svm["name"])
    if found[0].get("flexcache"):
        raise errors.CacheOfCache(found[0]["name"], svm["name"])
    return facts(world, found[0])


def _check_no_bucket(world: World, name: str | None, uuid: str | None) -> None:
    from emulator.volumes import object_store

    for hidden in object_store.find_all(world):
        if hidden["name"] == name or hidden["uuid"] == uuid:
            raise errors.ObjectStoreOrigin(hidden["name"])


def facts(world: World, volume: Record) -> dict[str, Any]:
    """What a cache needs to know of an origin; ``data`` is the folder of its live files on this machine."""
    svm = world.store.get("svm", volume["svm"]["uuid"]) or {}
    online = volume["state"] == "online" and svm.get("state") == "running"
    return {
        "cluster": cluster(world),
        "svm": volume["svm"],
        "volume": {"name": volume["name"], "uuid": volume["uuid"]},
        "size": volume["size"],
        "state": "online" if online else "offline",
        "mounted": bool(volume["junction"]),
        "data": str(world.dataplane.data_dir(volume["uuid"])),
        "inode": world.dataplane.live_inode(volume["uuid"]),
    }


def cluster(world: World) -> dict[str, str]:
    own = world.store.find("cluster")[0]
    return {"name": own["name"], "uuid": own["uuid"]}


def folder(origin: dict[str, Any]) -> Path | None:
    """The origin's files, if this machine has the folder that its cluster means."""
    path = Path(origin["data"])
    try:
        return path if path.stat().st_ino == origin["inode"] else None
    except OSError:
        return None


def has_folder(origin: dict[str, Any], path: str) -> bool:
    top = folder(origin)
    return top is not None and kept.is_folder(top, path)


def shown(world: World, cache: Record) -> dict[str, Any]:
    """The origin as a cache shows it; of one that is here, as it is now."""
    kept_facts = cache["origin"]
    volume = world.store.get("volume", kept_facts["volume"]["uuid"]) if cache["peer"] is None else None
    now = facts(world, volume) if volume else kept_facts
    names = ("cluster", "svm", "volume", "size")
    found = {name: now[name] for name in names} | {"create_time": cache["create_time"]}
    # An SVM of another cluster has the name here that the peering gave it.
    peer = world.store.get("svm_peer", cache["peer"]) if cache["peer"] else None
    found["svm"] = {**now["svm"], "name": peer["name"]} if peer else now["svm"]
    return found | {"state": now["state"] if cache["connected"] else "offline", "ip_address": cache["ip_address"]}


def caches_of(world: World, volume: str) -> list[Record]:
    """The caches of an origin (uuid), here and elsewhere, the oldest first."""
    return world.store.find(KIND, volume=volume)


def endpoint_type(world: World, volume: Record) -> str:
    if volume.get("flexcache"):
        return "cache"
    return "origin" if world.store.count(KIND, volume=volume["uuid"]) else "none"


def add(world: World, volume: str, cache: dict[str, Any], *, pair: str | None = None) -> None:
    """Note a cache of a volume (uuid); done again, it changes nothing. ``pair`` is that of the SVM peers."""
    if world.store.get(KIND, cache["uuid"]) is None:
        for entry in world.store.find(KIND, cache__svm__uuid=cache["svm"]["uuid"]):
            if entry["cache"]["volume"]["name"] == cache["volume"]["name"] and entry["pair"] is not None:
                remove(world, entry["uuid"])  # left by a try that failed: the name can be that of one cache only
        world.store.insert(KIND, {"uuid": cache["uuid"], "volume": volume, "cache": cache, "pair": pair})


def remove(world: World, cache: str) -> None:
    """Forget a cache (uuid); nothing happens when it is not known."""
    if world.store.get(KIND, cache):
        world.store.delete(KIND, cache)


def _cache(world: World, entry: Record) -> dict[str, Any]:
    """A cache as its origin shows it: name, size and state as they are now where it is of this cluster."""
    volume = world.store.get("volume", entry["uuid"])
    if volume is None:
        return entry["cache"] | {"volume": {"name": entry["cache"]["volume"]["name"], "uuid": entry["uuid"]}}
    now = {"name": volume["name"], "uuid": volume["uuid"]}
    return entry["cache"] | {"volume": now, "svm": volume["svm"], "size": volume["size"], "state": volume["state"]}


def render(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    return {
        "uuid": record["uuid"],
        "name": record["name"],
        "svm": record["svm"],
        "block_level_invalidation": bool(record.get("block_level_invalidation")),
        "global_file_locking_enabled": bool(record.get("global_file_locking_enabled")),
        "flexcaches": [_cache(world, entry) for entry in caches_of(world, record["uuid"])],
    }


_OF_CACHE = ("cluster.name", "cluster.uuid", "svm.name", "svm.uuid", "volume.name", "volume.uuid", "create_time")
ORIGIN = Shape(
    href="/storage/flexcache/origins/{uuid}",
    keys=("uuid", "name"),
    common=("svm.name", "svm.uuid", "block_level_invalidation", "global_file_locking_enabled")
    + tuple(f"flexcaches.{name}" for name in (*_OF_CACHE, "size", "state", "ip_address")),
    costly=(),
    render=render,
)
