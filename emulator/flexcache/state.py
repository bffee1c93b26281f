"""FlexCache volumes: what can be read and set. The volume of a cache has the same uuid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emulator.body import Accepts, flag, number, size, text
from emulator.fields import Shape, Wanted
from emulator.flexcache import errors, origins
from emulator.store import Record
from emulator.svms import parts
from emulator.values import between, one_of
from emulator.volumes import state as volumes

if TYPE_CHECKING:
    from emulator.world import World

KIND = parts.belongs("flexcache")
PREPOPULATE = "flexcache.prepopulate"
DEFAULT_SIZE = 1024**3
DEFAULT_SHARE = 10
SCRUB_DAYS = 30


def paths(value: Any) -> list[str]:
    """Folders of a volume, without slashes at their ends; "" is all of it."""
    if not isinstance(value, list):
        raise ValueError("list of paths")
    return [text(path).strip("/") for path in value]


_SETTINGS: Accepts = {
    "prepopulate.dir_paths": paths,
    "prepopulate.exclude_dir_paths": paths,
    "prepopulate.recurse": flag,
    "relative_size.enabled": flag,
    "relative_size.percentage": between(1, 100),
    "writeback.enabled": flag,
    "atime_scrub.enabled": flag,
    "atime_scrub.period": between(1, 365),
    "cifs_change_notify.enabled": flag,
}
POST_FIELDS: Accepts = _SETTINGS | {
    "name": text,
    "svm.name": text,
    "svm.uuid": text,
    "origins.svm.name": text,
    "origins.svm.uuid": text,
    "origins.volume.name": text,
    "origins.volume.uuid": text,
    "origins.cluster.name": text,
    "origins.cluster.uuid": text,
    "path": text,
    "size": size,
    "aggregates.name": text,
    "aggregates.uuid": text,
    "constituents_per_aggregate": number,
    "constituent_count": number,
    "guarantee.type": one_of("volume", "none"),
    "nas.export_policy.name": text,
    "nas.export_policy.id": number,
    "global_file_locking_enabled": flag,
    "dr_cache": flag,
    "use_tiered_aggregate": flag,
    "override_encryption": flag,
}
PATCH_FIELDS: Accepts = _SETTINGS


def render(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    volume = world.store.get(volumes.KIND, record["uuid"]) or {}
    aggregate = world.store.find("aggregate", name=volume["aggregate"])
    shown = {key: record[key] for key in ("uuid", "writeback", "relative_size", "atime_scrub", "cifs_change_notify")}
    shown |= {key: record[key] for key in ("dr_cache", "global_file_locking_enabled")}
    return shown | {
        "name": volume["name"],
        "svm": volume["svm"],
        "path": volume["junction"],
        "size": volume["size"],
        "guarantee": {"type": volume["guarantee"]},
        "aggregates": [{"name": each["name"], "uuid": each["uuid"]} for each in aggregate],
        "constituent_count": 1,
        "use_tiered_aggregate": False,
        "override_encryption": False,
        "origins": [origins.shown(world, record)],
    }


FLEXCACHE = Shape(
    href="/storage/flexcache/flexcaches/{uuid}",
    keys=("uuid", "name"),
    common=("svm.name", "svm.uuid", "dr_cache", "global_file_locking_enabled", "writeback.enabled")
    + ("relative_size.enabled", "relative_size.percentage", "atime_scrub.enabled", "atime_scrub.period")
    + tuple(f"origins.{name}" for name in ("svm.name", "svm.uuid", "volume.name", "volume.uuid"))
    + tuple(f"origins.{name}" for name in ("cluster.name", "cluster.uuid", "create_time"))
    + ("size", "path", "guarantee.type", "aggregates.name", "aggregates.uuid")
    + tuple(f"origins.{name}" for name in ("size", "state", "ip_address")),
    costly=("constituent_count", "use_tiered_aggregate", "override_encryption", "cifs_change_notify.enabled"),
    render=render,
)


def settings_of(body: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
    """What a body says of the cache itself, as it lies in the record."""
    names = ("writeback", "relative_size", "atime_scrub", "cifs_change_notify")
    return {name: old[name] | body[name] for name in names if body.get(name)}


DEFAULTS: dict[str, Any] = {
    "writeback": {"enabled": False},
    "relative_size": {"enabled": False},
    "atime_scrub": {"enabled": False, "period": SCRUB_DAYS},
    "cifs_change_notify": {"enabled": False},
    "dr_cache": False,
    "global_file_locking_enabled": False,
}


def default_size(origin_size: int) -> int:
    """A tenth of the origin, and no less than a constituent should have."""
    return max(origin_size * DEFAULT_SHARE // 100, DEFAULT_SIZE)


def prepopulates(world: World, cache: str) -> list[Record]:
    """The jobs under way that copy files into a cache (uuid)."""
    return [job for job in world.jobs.open_jobs() if job["operation"] == PREPOPULATE and job["args"]["uuid"] == cache]


def check_prepopulate(world: World, volume: Record, wish: dict[str, Any], origin: dict[str, Any]) -> None:
    """Refuse what cannot be done; ``origin`` as `origins.facts` has it."""
    if not wish.get("dir_paths"):
        raise errors.NoPaths()
    if not volume["junction"]:
        raise errors.NotMounted(volume["name"])
    if not origin["mounted"]:
        raise errors.OriginNotMounted(origin["volume"]["name"])
    for path in [*wish["dir_paths"], *(wish.get("exclude_dir_paths") or [])]:
        if not origins.has_folder(origin, path):
            raise errors.NoSuchPath("/" + path, origin["volume"]["name"])
