"""Volumes: what can be read and set, and the rules that names, paths and space keep."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from emulator.body import Accepts, anything, flag, number, size, text, texts
from emulator.fields import Shape, Wanted
from emulator.qos import state as qos
from emulator.store import Record
from emulator.volumes import errors, junctions

if TYPE_CHECKING:
    from emulator.world import World

KIND = "volume"
DEFAULT_SIZE = 20 * 1024**2
MINIMUM_SIZE = 20 * 1024**2
# Nothing larger fits into a FlexVol.
MAXIMUM_NAME = 203

OPTIONS = (
    "tiering.policy",
    "tiering.min_cooling_days",
    "encryption.enabled",
    "efficiency.compression",
    "efficiency.dedupe",
    "autosize.mode",
    "autosize.maximum",
    "autosize.minimum",
    "autosize.grow_threshold",
    "autosize.shrink_threshold",
    "space.snapshot.reserve_percent",
    "space.snapshot.autodelete_enabled",
    "space.logical_space.enforcement",
    "space.logical_space.reporting",
    "files.maximum",
    "analytics.state",
    "snapshot_directory_access_enabled",
    "access_time_enabled",
    "anti_ransomware.state",
    "cloud_retrieval_policy",
    "is_s3_arbitrary_part_size_enabled",
)
"""Set and read back as they are; the emulator does nothing more with them."""

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


def online_state(value: Any) -> str:
    if value not in ("online", "offline"):
        raise ValueError("online or offline")
    return value


def security_style(value: Any) -> str:
    if value not in ("unix", "ntfs", "mixed"):
        raise ValueError("unix, ntfs or mixed")
    return value


_COMMON_FIELDS: Accepts = {
    "name": text,
    "size": size,
    "comment": text,
    "_tags": texts,
    "state": online_state,
    "nas.path": text,
    "nas.security_style": security_style,
    "nas.unix_permissions": permissions,
    "nas.uid": number,
    "nas.gid": number,
    "nas.export_policy.name": text,
    "nas.export_policy.id": number,
    "guarantee.type": text,
    "snapshot_policy.name": text,
    "snapshot_policy.uuid": text,
    "snapshot_locking_enabled": flag,
    "qos.policy.name": text,
    "qos.policy.uuid": text,
} | dict.fromkeys(OPTIONS, anything)

POST_FIELDS: Accepts = _COMMON_FIELDS | {
    "svm.name": text,
    "svm.uuid": text,
    "aggregates.name": text,
    "aggregates.uuid": text,
    "type": text,
    "style": text,
    "language": text,
    "space.size": size,
    "clone.is_flexclone": flag,
    "clone.parent_volume.name": text,
    "clone.parent_volume.uuid": text,
    "clone.parent_snapshot.name": text,
    "clone.parent_snapshot.uuid": text,
    "clone.parent_svm.name": text,
    "clone.parent_svm.uuid": text,
}
RESTORE_ARGUMENTS = ("restore_to.snapshot.name", "restore_to.snapshot.uuid", "restore_to.force")
PATCH_FIELDS: Accepts = _COMMON_FIELDS | {
    "clone.split_initiated": flag,
    "restore_to.snapshot.name": text,
    "restore_to.snapshot.uuid": text,
    "restore_to.force": flag,
}


def render(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    shown: dict[str, Any] = {key: record[key] for key in ("uuid", "name", "svm", "size", "state", "comment")}
    shown |= {
        "_tags": record["tags"],
        "type": "rw",
        "style": "flexvol",
        "language": record["language"],
        "create_time": record["create_time"],
        "aggregates": [_aggregate(world, record)] if wanted.has("aggregates") else [],
        "guarantee": {"type": record["guarantee"], "honored": True},
        "snapshot_policy": {"name": record["snapshot_policy"]},
        "snapshot_locking_enabled": record["locking"],
        "is_svm_root": record["junction"] == "/",
    }
    for name in record["options"]:
        _put(shown, name, record["options"][name])
    if wanted.has("qos"):
        shown["qos"] = {"policy": qos.of_volume(world, record) or {}}
    shown["nas"] = _nas(world, record, wanted)
    shown["clone"] = _clone(world, record, wanted)
    shown["space"] = (shown.get("space") or {}) | _space(world, record, wanted)
    if wanted.has("snapshot_count"):
        shown["snapshot_count"] = world.store.count("snapshot", volume=record["uuid"])
    return shown


def _put(shown: dict[str, Any], name: str, value: Any) -> None:
    *folders, leaf = name.split(".")
    for folder in folders:
        shown = shown.setdefault(folder, {})
    shown[leaf] = value


def _aggregate(world: World, record: Record) -> dict[str, str]:
    found = world.store.find("aggregate", name=record["aggregate"])
    return {"name": record["aggregate"], "uuid": found[0]["uuid"] if found else ""}


def _nas(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    shown: dict[str, Any] = {"path": record["junction"], "security_style": record["security_style"]}
    if wanted.has("nas.export_policy") and (policy := world.store.get("export_policy", record["export_policy"])):
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
        shown |= _split(world, record)
    return shown


def _split(world: World, record: Record) -> dict[str, Any]:
    for job in world.jobs.open_jobs():
        if job["operation"] == "volume.split" and job["args"]["uuid"] == record["uuid"]:
            return {"split_initiated": True, "split_complete_percent": world.jobs.done_percent(job)}
    return {"split_initiated": False, "split_estimate": world.dataplane.used(record["uuid"])}


def _space(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    shown: dict[str, Any] = {"size": record["size"]}
    if any(wanted.has(f"space.{name}") for name in ("used", "available", "percent_used", "logical_space.used")):
        used = world.dataplane.used(record["uuid"])
        shown |= {"used": used, "available": max(0, record["size"] - used)}
        shown["percent_used"] = min(100, used * 100 // record["size"])
    return shown


VOLUME = Shape(
    href="/storage/volumes/{uuid}",
    keys=("uuid", "name"),
    common=("svm.name", "svm.uuid", "size", "state", "comment", "_tags", "type", "style", "language", "create_time")
    + ("aggregates.name", "aggregates.uuid", "snapshot_policy.name", "clone.is_flexclone", "nas.export_policy.name")
    + ("space.size", "space.used", "space.available", "snapshot_count", "snapshot_locking_enabled")
    + ("tiering.policy", "tiering.min_cooling_days", "snapshot_directory_access_enabled", "access_time_enabled"),
    costly=("guarantee.type", "guarantee.honored", "is_svm_root", "space.percent_used")
    + tuple(f"clone.{name}" for name in _CLONE_NAMES)
    + tuple(f"nas.{name}" for name in _NAS_NAMES)
    + _PARENT_NAMES
    + _QOS_NAMES
    + tuple(name for name in OPTIONS if not name.startswith(("tiering", "snapshot_directory", "access_time"))),
    render=render,
)


def owner_kept(nas: dict[str, Any]) -> dict[str, int]:
    """Owner and group that a request names, as far as the record must keep them.

    The directory itself has them where the emulator runs as root; elsewhere it cannot.
    """
    if os.geteuid() == 0:
        return {}
    return {key: nas[key] for key in ("uid", "gid") if nas.get(key) is not None}


def check_name(world: World, name: str, svm: dict[str, str]) -> None:
    if len(name) > MAXIMUM_NAME:
        raise errors.NameTooLong(name)
    if not re.match(r"[A-Za-z_]", name):
        raise errors.NameBadStart(name)
    if not re.fullmatch(r"\w+", name, re.ASCII):
        raise errors.NameBadCharacter(name)
    if world.store.find(KIND, svm__uuid=svm["uuid"], name=name):
        raise errors.NameTaken(name, svm["name"])


def check_size(wanted: int) -> None:
    if wanted < MINIMUM_SIZE:
        raise errors.TooSmall(wanted, MINIMUM_SIZE)


def check_aggregate_room(world: World, record: Record, more: int) -> None:
    """Refuse what does not fit; only volumes with guarantee ``volume`` reserve space, but none may exceed it all."""
    from emulator.aggregates.state import used_bytes

    aggregate = world.store.find("aggregate", name=record["aggregate"])[0]
    reserved = used_bytes(world, aggregate) if record["guarantee"] == "volume" else 0
    available = max(0, aggregate["size"] - reserved)
    if more > available:
        raise errors.AggregateFull(record["name"], record["aggregate"], more, available)


def check_room(world: World, record: Record) -> None:
    """Refuse when more is in the volume than its size allows: a directory cannot refuse the write that overfills it."""
    if world.dataplane.used(record["uuid"]) > record["size"]:
        raise errors.VolumeFull(record["name"])


def clones_of(world: World, volume: str, snapshot: str | None = None) -> list[str]:
    """Names of the clones of a volume (uuid), or of one snapshot of it, with those that are being made."""
    of = {"clone__parent": volume} if snapshot is None else {"clone__snapshot": snapshot}
    names = [clone["name"] for clone in world.store.find(KIND, **of)]
    for job in world.jobs.open_jobs():
        args = job["args"]
        if job["operation"] == "volume.clone" and args["parent"] == volume and snapshot in (None, args["snapshot"]):
            names.append(args["record"]["name"])
    return list(dict.fromkeys(names))
