"""Volumes: what can be read and set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emulator.body import Accepts, flag, number, size, text, texts
from emulator.errors import OntapError
from emulator.fields import Shape, Wanted
from emulator.flexcache import origins
from emulator.qos import state as qos
from emulator.snapshot_policies import state as snapshot_policies
from emulator.store import Record
from emulator.values import comment, language, one_of, unix_id
from emulator.volumes import checks, flexgroups, junctions, moves, object_store, settings, splits
from emulator.volumes.places import aggregates_of, is_flexgroup

if TYPE_CHECKING:
    from emulator.world import World

KIND = checks.KIND

_QOS_NAMES = ("qos.policy.name", "qos.policy.uuid")
_CLONE_NAMES = (
    *("parent_volume.name", "parent_volume.uuid", "parent_snapshot.name", "parent_snapshot.uuid"),
    *("parent_svm.name", "parent_svm.uuid", "split_initiated", "split_complete_percent", "split_estimate"),
)
_NAS_NAMES = ("path", "security_style", "unix_permissions", "uid", "gid", "export_policy.id")
_PARENT_NAMES = ("nas.junction_parent.name", "nas.junction_parent.uuid")


def permissions(value: Any) -> int:
    """Permission bits from octal digits as in ``chmod``, given as a number or as text: 755 is 0o755."""
    bits = int(str(value), 8)
    if isinstance(value, bool) or not 0 <= bits <= 0o7777:
        raise ValueError("octal digits")
    return bits


_COMMON_FIELDS: Accepts = {
    "name": text,
    "size": size,
    "comment": comment,
    "_tags": texts,
    "state": one_of("online", "offline"),
    "nas.path": text,
    "nas.security_style": one_of("unix", "ntfs", "mixed", "unified"),
    "nas.unix_permissions": permissions,
    "nas.uid": unix_id,
    "nas.gid": unix_id,
    "nas.export_policy.name": text,
    "nas.export_policy.id": number,
    "space.size": size,
    "guarantee.type": one_of("volume", "none"),
    "snapshot_policy.name": text,
    "snapshot_policy.uuid": text,
    "snapshot_locking_enabled": flag,
    "qos.policy.name": text,
    "qos.policy.uuid": text,
} | {name: setting.convert for name, setting in settings.SETTINGS.items()}

POST_FIELDS: Accepts = _COMMON_FIELDS | {
    "svm.name": text,
    "svm.uuid": text,
    "aggregates.name": text,
    "aggregates.uuid": text,
    "type": text,
    "style": text,
    "language": language,
    **flexgroups.FIELDS,
    "clone.is_flexclone": flag,
    "clone.parent_volume.name": text,
    "clone.parent_volume.uuid": text,
    "clone.parent_snapshot.name": text,
    "clone.parent_snapshot.uuid": text,
    "clone.parent_svm.name": text,
    "clone.parent_svm.uuid": text,
}
RESTORE_ARGUMENTS = ("restore_to.snapshot.name", "restore_to.snapshot.uuid", "restore_to.force")
PATCH_FIELDS: Accepts = (
    _COMMON_FIELDS
    | moves.FIELDS
    | {
        "clone.split_initiated": flag,
        "restore_to.snapshot.name": text,
        "restore_to.snapshot.uuid": text,
        "restore_to.force": flag,
    }
)


def render(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    if record.get("is_object_store"):
        return object_store.render(world, record, wanted)
    if "flexgroup" in record:
        return flexgroups.shown_constituent(record, _named(world, record["aggregate"]))
    shown: dict[str, Any] = {key: record[key] for key in ("uuid", "name", "svm", "size", "state", "comment")}
    shown |= {
        "_tags": record["tags"],
        "type": record.get("type", "rw"),
        "style": "flexgroup" if record.get("flexcache") else record.get("style", "flexvol"),
        "is_constituent": False,
        "language": record["language"],
        "create_time": record["create_time"],
        "aggregates": [_named(world, name) for name in aggregates_of(record)] if wanted.has("aggregates") else [],
        "guarantee": {"type": record["guarantee"], "honored": True},
        "snapshot_policy": _snapshot_policy(world, record) if wanted.has("snapshot_policy") else {},
        "snapshot_locking_enabled": record["locking"],
        "is_svm_root": record["junction"] == "/",
        "is_object_store": False,
    }
    for name, value in settings.shown(record, wanted).items():
        _put(shown, name, value)
    if wanted.has("flexcache_endpoint_type"):
        shown["flexcache_endpoint_type"] = origins.endpoint_type(world, record)
    if wanted.has("statistics") and "reads" in record:
        shown["statistics"] = {"flexcache_raw": record["reads"]}
    if wanted.has("qos"):
        shown["qos"] = {"policy": qos.of_volume(world, record) or {}}
    shown["nas"] = _nas(world, record, wanted)
    shown["clone"] = _clone(world, record, wanted)
    shown["space"] = _space(world, record, wanted, shown.get("space") or {})
    if wanted.has("movement"):
        shown["movement"] = moves.shown(world, record) or {}
    if is_flexgroup(record):
        shown |= flexgroups.shown(record, {name: _named(world, name) for name in aggregates_of(record)})
    if wanted.has("files.used"):
        _put(shown, "files.used", world.dataplane.files(record["uuid"]))
    if wanted.has("snapshot_count"):
        shown["snapshot_count"] = world.store.count("snapshot", volume=record["uuid"])
    return shown


def _put(shown: dict[str, Any], name: str, value: Any) -> None:
    *folders, leaf = name.split(".")
    for folder in folders:
        shown = shown.setdefault(folder, {})
    shown[leaf] = value


def _snapshot_policy(world: World, record: Record) -> dict[str, str]:
    """Without its uuid when the policy is gone."""
    svm, named = record["svm"], record["snapshot_policy"]

    def found() -> dict[str, str]:
        try:
            policy = snapshot_policies.usable(world, svm, {"name": named})
        except OntapError:
            return {"name": named}
        return {"name": policy["name"], "uuid": policy["uuid"]}

    return dict(world.store.derived(("snapshot policy", svm["uuid"], named), found))


def _named(world: World, aggregate: str) -> dict[str, str]:
    uuids = world.store.derived("aggregates", lambda: {a["name"]: a["uuid"] for a in world.store.find("aggregate")})
    return {"name": aggregate, "uuid": uuids.get(aggregate, "")}


def _policy(world: World, uuid: str) -> Record | None:
    return world.store.derived(("export policy", uuid), lambda: world.store.get("export_policy", uuid))


def _nas(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    shown: dict[str, Any] = {"path": record["junction"], "security_style": record["security_style"]}
    if wanted.has("nas.export_policy") and (policy := _policy(world, record["export_policy"])):
        shown["export_policy"] = {"name": policy["name"], "id": policy["id"]}
    if wanted.has("nas.junction_parent") and (parent := junctions.holder(world, record)):
        shown["junction_parent"] = {"name": parent["name"], "uuid": parent["uuid"]}
    if any(wanted.has(f"nas.{name}") for name in ("unix_permissions", "uid", "gid")):
        mode, uid, gid = world.dataplane.owner(record["uuid"])
        shown |= {"unix_permissions": int(f"{mode:o}"), "uid": uid, "gid": gid}
        shown |= {key: record["nas"][key] for key in ("uid", "gid") if key in record["nas"]}
    return shown


def _clone(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    clone = record["clone"]
    if clone is None:
        return {"is_flexclone": False}
    shown: dict[str, Any] = {"is_flexclone": True}
    if any(wanted.has(f"clone.{name}") for name in _CLONE_NAMES):
        parent = world.store.get(KIND, clone["parent"])
        snapshot = world.store.get("snapshot", clone["snapshot"])
        shown["parent_volume"] = {"uuid": clone["parent"], "name": parent["name"] if parent else None}
        shown["parent_snapshot"] = {"uuid": clone["snapshot"], "name": snapshot["name"] if snapshot else None}
        shown["parent_svm"] = parent["svm"] if parent else None
        shown |= splits.shown(world, record)
    return shown


def _space(world: World, record: Record, wanted: Wanted, known: dict[str, Any]) -> dict[str, Any]:
    """Sizes in bytes; the snapshot reserve is no room for files, whether there are snapshots in it or not."""
    usable, reserve = settings.usable_bytes(record), settings.reserve_bytes(record)
    shown = known | {"size": record["size"], "afs_total": usable, "filesystem_size": record["size"]}
    shown["snapshot"] = (known.get("snapshot") or {}) | {"reserve_size": reserve}
    if any(wanted.has(name) for name in _MEASURED_NAMES):
        used = world.dataplane.used(record["uuid"])
        shown |= {"used": used, "available": max(0, usable - used), "user_data": used, "metadata": 0}
        shown["percent_used"] = min(100, used * 100 // usable) if usable else 100
        shown["available_percent"] = 100 - shown["percent_used"]
        shown["footprint"] = shown["total_footprint"] = used
        logical = {"used": used, "available": shown["available"]}
        shown["logical_space"] = (known.get("logical_space") or {}) | logical
    return shown


_MEASURED: tuple[str, ...] = ("used", "available", "percent_used", "available_percent", "user_data", "metadata")
_MEASURED += ("footprint", "total_footprint", "logical_space")
_MEASURED_NAMES = tuple(f"space.{name}" for name in _MEASURED if name != "logical_space")
_MEASURED_NAMES += ("space.logical_space.used", "space.logical_space.available")
_SPACE_NAMES = tuple(f"space.{name}" for name in _MEASURED if name not in ("used", "available", "logical_space"))
_SPACE_NAMES += ("space.logical_space.used", "space.logical_space.available", "space.afs_total")
_SPACE_NAMES += ("space.filesystem_size", "space.snapshot.reserve_size")


_COMMON_SETTINGS = ("tiering.policy", "tiering.min_cooling_days") + (
    "snapshot_directory_access_enabled",
    "access_time_enabled",
)
READS = ("client_requested_blocks", "cache_miss_blocks")  # of a cache, as the steering says
VOLUME = Shape(
    href="/storage/volumes/{uuid}",
    keys=("uuid", "name"),
    common=("svm.name", "svm.uuid", "size", "state", "comment", "_tags", "type", "style", "language", "create_time")
    + (
        "aggregates.name",
        "aggregates.uuid",
        "snapshot_policy.name",
        "snapshot_policy.uuid",
        "clone.is_flexclone",
        "nas.export_policy.name",
    )
    + ("space.size", "space.used", "space.available", "snapshot_count", "snapshot_locking_enabled")
    + ("flexcache_endpoint_type",)
    + _COMMON_SETTINGS,
    costly=("guarantee.type", "guarantee.honored", "is_svm_root", "is_object_store", "files.used", *_SPACE_NAMES)
    + tuple(f"clone.{name}" for name in _CLONE_NAMES)
    + tuple(f"nas.{name}" for name in _NAS_NAMES)
    + tuple(f"statistics.flexcache_raw.{name}" for name in READS)
    + _PARENT_NAMES
    + _QOS_NAMES
    + moves.NAMES
    + flexgroups.NAMES
    + tuple(name for name in settings.NAMES if name not in _COMMON_SETTINGS),
    render=render,
    stored={
        "uuid": "uuid",
        "name": "name",
        "state": "state",
        "nas.path": "junction",
        "create_time": "create_time",
        "clone.parent_volume.uuid": "clone.parent",
    },
)
