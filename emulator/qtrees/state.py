"""Qtrees: folders at the top of a volume, each with a number, that quotas can be set on."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from emulator import trees
from emulator.body import Accepts, number, text
from emulator.dataplane import SNAPSHOT_LINK
from emulator.errors import NotFound
from emulator.export_policies import state as export_policies
from emulator.fields import Shape, Wanted
from emulator.jobs import operation
from emulator.qtrees import errors
from emulator.store import Record
from emulator.svms import parts
from emulator.values import one_of
from emulator.volumes import belongings
from emulator.volumes.state import permissions

if TYPE_CHECKING:
    from emulator.world import World

KIND = parts.belongs(belongings.belongs("qtree"))
DEFAULT_ID = 0
"""That of what is in a volume and in no qtree; its name is empty."""

PATCH_FIELDS: Accepts = {
    "name": text,
    "security_style": one_of("unix", "ntfs", "mixed"),
    "unix_permissions": permissions,
    "export_policy.name": text,
    "export_policy.id": number,
}
POST_FIELDS: Accepts = PATCH_FIELDS | {
    "svm.name": text,
    "svm.uuid": text,
    "volume.name": text,
    "volume.uuid": text,
}


def render(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    volume = world.store.get("volume", record["volume"]) or {}
    shown = {key: record[key] for key in ("id", "name", "svm", "security_style")}
    shown |= {"volume": {"uuid": record["volume"], "name": volume.get("name")}}
    if wanted.has("unix_permissions"):
        shown["unix_permissions"] = _mode(world, record)
    if volume.get("junction"):
        shown["path"] = f"{volume['junction']}/{record['name']}".rstrip("/")
    policy = world.store.get(export_policies.KIND, record["export_policy"] or volume.get("export_policy") or "")
    return shown | {"export_policy": {"name": policy["name"], "id": policy["id"]} if policy else None}


def _mode(world: World, record: Record) -> int | None:
    """None when a restore of the volume has taken the folder away."""
    folder = folder_of(world, record)
    return int(f"{folder.stat().st_mode & 0o7777:o}") if folder.is_dir() else None


QTREE = Shape(
    href="/storage/qtrees/{volume.uuid}/{id}",
    keys=("id", "name", "volume.uuid", "volume.name", "svm.uuid", "svm.name"),
    common=("path", "security_style", "unix_permissions", "export_policy.name", "export_policy.id"),
    costly=(),
    render=render,
)


def of_volume(world: World, volume: Record) -> list[Record]:
    return [default_of(volume), *world.store.find(KIND, volume=volume["uuid"])]


def default_of(volume: Record) -> Record:
    facts = {"security_style": volume["security_style"], "export_policy": None, "svm": volume["svm"]}
    return facts | {"uuid": volume["uuid"], "volume": volume["uuid"], "id": DEFAULT_ID, "name": "", "_seq": 0}


def named(world: World, volume: str, name: str) -> Record | None:
    return next((record for record in world.store.find(KIND, volume=volume) if record["name"] == name), None)


def folder_of(world: World, record: Record) -> Path:
    top = world.dataplane.data_dir(record["volume"])
    return trees.child(top, record["name"]) if record["name"] else top


def check_name(world: World, volume: Record, name: str) -> None:
    if not re.fullmatch(r"[^/\0\s,]{1,64}", name) or name in (".", "..", SNAPSHOT_LINK):
        raise errors.BadName(name)
    if named(world, volume["uuid"], name):
        raise errors.QtreeExists(name, volume["name"])


def new(world: World, volume: Record, body: dict[str, Any]) -> Record:
    """A record; not stored yet."""
    ids = [record["id"] for record in world.store.find(KIND, volume=volume["uuid"])]
    return {
        "uuid": str(uuid4()),
        "volume": volume["uuid"],
        "svm": volume["svm"],
        "id": max(ids, default=DEFAULT_ID) + 1,
        "name": body["name"],
        "security_style": body.get("security_style") or volume["security_style"],
        "export_policy": policy_of(world, volume, body),
    }


def policy_of(world: World, volume: Record, body: dict[str, Any]) -> str | None:
    wish = body.get("export_policy")
    return export_policies.find(world, volume["svm"], wish)["uuid"] if wish else None


@operation("qtree.create")
def create(world: World, args: dict[str, Any]) -> None:
    """A folder that is there already, such as one of a first try that was killed, becomes the qtree if it is empty."""
    record = args["record"]
    if world.store.get(KIND, record["uuid"]):
        return
    with world.dataplane.lock(record["volume"]):
        volume = world.store.get("volume", record["volume"])
        if volume is None:
            raise NotFound("volume.uuid")
        check_name(world, volume, record["name"])
        folder = folder_of(world, record)
        if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
            raise errors.QtreeExists(record["name"], volume["name"])
        folder.mkdir(exist_ok=True)
        top = world.dataplane.data_dir(record["volume"]).stat().st_mode & 0o7777
        folder.chmod(args["mode"] if args["mode"] is not None else top)
        world.store.insert(KIND, record)


@operation("qtree.modify")
def modify(world: World, args: dict[str, Any]) -> None:
    record = world.store.get(KIND, args["uuid"])
    if record is None:
        raise NotFound("id")
    with world.dataplane.lock(record["volume"]):
        changes = args["changes"]
        if (name := changes.get("name")) and name != record["name"]:
            old, new_folder = folder_of(world, record), folder_of(world, record | {"name": name})
            if old.is_dir():
                old.rename(new_folder)
        world.store.update(KIND, record["uuid"], **changes)
        if args["mode"] is not None:
            folder_of(world, record | changes).chmod(args["mode"])


@operation("qtree.delete")
def delete(world: World, args: dict[str, Any]) -> None:
    """With all that is in it."""
    record = world.store.get(KIND, args["uuid"])
    if record is None:
        return
    with world.dataplane.lock(record["volume"]):
        folder = folder_of(world, record)
        if folder.is_dir():
            stage = world.dataplane.stage()
            folder.rename(stage)
            trees.remove_tree(stage)
        world.store.delete(KIND, record["uuid"])
    world.dataplane.forget_used(record["volume"])
