"""Aggregates: where volumes get their space from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from emulator.fields import Shape, Wanted
from emulator.store import Record
from emulator.volumes.places import FLEXGROUP, shares

if TYPE_CHECKING:
    from emulator.world import World

KIND = "aggregate"
SIZE = 100 * 1024**4
DISKS = 24
NAMES = ("aggr1", "aggr2")


def render(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    block: dict[str, Any] = {"size": record["size"]}
    if wanted.has("space"):
        used = used_bytes(world, record)
        block |= {"used": used, "available": max(0, record["size"] - used)}
    return {
        "uuid": record["uuid"],
        "name": record["name"],
        "state": "online",
        "node": {"name": "node1"},
        "create_time": record["create_time"],
        "volume_count": volume_count(world, record["name"]) if wanted.has("volume_count") else None,
        "space": {"block_storage": block},
        "snaplock_type": "non_snaplock",
        "data_encryption": {"software_encryption_enabled": False, "drive_protection_enabled": False},
        "block_storage": {
            "primary": {"disk_count": DISKS, "raid_type": "raid_dp", "raid_size": DISKS, "disk_class": "solid_state"},
            "mirror": {"enabled": False},
            "hybrid_cache": {"enabled": False},
            "storage_type": "ssd",
        },
        "cloud_storage": {"attach_eligible": False},
        "is_spare_low": False,
    }


def used_bytes(world: World, record: Record) -> int:
    """What volumes have reserved: their size with guarantee ``volume``, else nothing (clones included)."""
    name = record["name"]
    whole = world.store.column("volume", "size", aggregate=name, guarantee="volume").values()
    groups = [volume for volume in _flexgroups(world) if volume["guarantee"] == "volume"]
    return sum(whole) + sum(shares(volume, volume["size"]).get(name, 0) for volume in groups)


def volume_count(world: World, name: str) -> int:
    """FlexVol volumes and constituents of FlexGroup volumes on an aggregate."""
    parts = [each for volume in _flexgroups(world) for each in volume["constituents"] if each["aggregate"] == name]
    return world.store.count("volume", aggregate=name) + len(parts)


def _flexgroups(world: World) -> list[Record]:
    return world.store.find("volume", style=FLEXGROUP)


AGGREGATE = Shape(
    href="/storage/aggregates/{uuid}",
    keys=("uuid", "name"),
    common=("state", "node.name", "create_time", "volume_count")
    + tuple(f"space.block_storage.{name}" for name in ("size", "used", "available")),
    costly=("snaplock_type", "data_encryption.software_encryption_enabled", "data_encryption.drive_protection_enabled")
    + tuple(f"block_storage.primary.{name}" for name in ("disk_count", "raid_type", "raid_size", "disk_class"))
    + ("block_storage.mirror.enabled", "block_storage.hybrid_cache.enabled", "block_storage.storage_type")
    + ("cloud_storage.attach_eligible", "is_spare_low"),
    render=render,
)


def seed(world: World) -> None:
    for name in NAMES:
        world.store.insert(KIND, {"uuid": str(uuid4()), "name": name, "size": SIZE, "create_time": world.clock.iso()})
