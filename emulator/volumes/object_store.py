"""The volume behind a bucket of type s3: ONTAP makes it by itself, names it ``fg_oss_...``, and keeps hands off it.

It is read by its uuid, which the bucket names. Lists have it only when they ask for ``is_object_store``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from emulator import trees
from emulator.fields import Wanted
from emulator.s3.context import bucket_dir
from emulator.store import Record

if TYPE_CHECKING:
    from emulator.world import World

_BUCKETS = "s3_bucket"


def name_of(bucket: Record) -> str:
    return f"fg_oss_{bucket['uuid'][:8]}"


def find(world: World, uuid: str) -> Record | None:
    """The volume of a bucket as a record to be shown; None when no bucket of type s3 has it."""
    bucket = world.store.get(_BUCKETS, uuid)
    return _record(bucket) if bucket and bucket["type"] == "s3" else None


def find_all(world: World) -> list[Record]:
    return [_record(bucket) for bucket in world.store.find(_BUCKETS, type="s3")]


def _record(bucket: Record) -> Record:
    return {key: bucket[key] for key in ("uuid", "svm", "_seq")} | {
        "size": bucket.get("size") or 0,
        "name": name_of(bucket),
        "is_object_store": True,
        "create_time": bucket["created"],
        "aggregates": bucket.get("aggregates") or ["aggr1"],
    }


def render(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    shown: dict[str, Any] = {key: record[key] for key in ("uuid", "name", "svm", "size", "create_time")}
    known = {aggregate["name"]: aggregate["uuid"] for aggregate in world.store.find("aggregate")}
    shown["space"] = {"size": record["size"], "afs_total": record["size"]}
    if wanted.has("space"):
        used = trees.used_bytes(Path(bucket_dir(world, record["uuid"])))
        shown["space"] |= {"used": used, "available": max(0, record["size"] - used)}
    return shown | {
        "is_object_store": True,
        "is_svm_root": False,
        "state": "online",
        "type": "rw",
        "style": "flexgroup",
        "comment": "",
        "language": "c.utf_8",
        "aggregates": [{"name": name, "uuid": known.get(name, "")} for name in record["aggregates"]],
        "guarantee": {"type": "none", "honored": True},
        "clone": {"is_flexclone": False},
    }
