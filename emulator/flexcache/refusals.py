"""What is refused on caches, and on volumes that have caches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emulator.flexcache import errors, origins
from emulator.rules import rule
from emulator.store import Record

if TYPE_CHECKING:
    from emulator.world import World

_SET = ("name", "size", "comment", "_tags", "state", "guarantee", "qos", "autosize", "space", "nas")
_NAS = ("path", "export_policy")


@rule("snapshot.create", "snapshot.modify", "snapshot.delete")
def no_snapshots(world: World, volume: Record) -> None:
    if volume.get("flexcache"):
        raise errors.NotOnCache("Snapshots are", volume["name"])


@rule("restore")
def no_restore(world: World, volume: Record) -> None:
    if volume.get("flexcache"):
        raise errors.NotOnCache("Restoring to a snapshot is", volume["name"])


@rule("clone", "split")
def no_clones(world: World, volume: Record) -> None:
    if volume.get("flexcache"):
        raise errors.NotOnCache("FlexClone volumes are", volume["name"])


@rule("delete")
def deleted_as_a_cache(world: World, volume: Record) -> None:
    if volume.get("flexcache"):
        raise errors.NotOnCache("Deleting as a plain volume, rather than as a FlexCache, is", volume["name"])


@rule("delete")
def origin_stays(world: World, volume: Record) -> None:
    if caches := origins.caches_of(world, volume["uuid"]):
        raise errors.OriginHasCaches(volume["name"], [c["cache"]["volume"]["name"] for c in caches])


@rule("write")
def written_at_the_origin(world: World, volume: Record) -> None:
    cache = world.store.get("flexcache", volume["uuid"]) if volume.get("flexcache") else None
    if cache and not cache["connected"]:
        named = f"{cache['origin']['svm']['name']}:{cache['origin']['volume']['name']}"
        raise errors.OriginUnreachable(named, volume["name"], "nothing can be written through the cache")


def check_fields(volume: Record, body: dict[str, Any]) -> None:
    """Refuse a change of what a cache has from its origin, or has not at all."""
    if not volume.get("flexcache"):
        return
    wrong = [key for key in body if key not in _SET] + [
        f"nas.{key}" for key in body.get("nas") or {} if key not in _NAS
    ]
    for key in wrong:
        raise errors.NotOnCache(f'Setting "{key}" is', volume["name"])
