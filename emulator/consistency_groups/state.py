"""Consistency groups: volumes of one SVM that are frozen and restored together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emulator import rules
from emulator.body import Accepts, text
from emulator.consistency_groups import errors
from emulator.fields import Shape, Wanted
from emulator.store import Record
from emulator.svms import parts
from emulator.values import at_most, one_of

if TYPE_CHECKING:
    from emulator.world import World

KIND = parts.belongs("consistency_group")
VOLUMES_MAX = 80

_VOLUME_FIELDS: Accepts = {
    "volumes.name": text,
    "volumes.uuid": text,
    "volumes.provisioning_options.action": one_of("add", "remove"),
}
PATCH_FIELDS: Accepts = _VOLUME_FIELDS | {
    "restore_to.snapshot.name": text,
    "restore_to.snapshot.uuid": text,
}
POST_FIELDS: Accepts = {"name": at_most(203), "svm.name": text, "svm.uuid": text} | _VOLUME_FIELDS
RESTORE_ARGUMENTS = frozenset({"restore_to.snapshot.name", "restore_to.snapshot.uuid"})


def render(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    shown = {key: record[key] for key in ("uuid", "name", "svm")}
    volumes = [volume for uuid in record["volumes"] if (volume := world.store.get("volume", uuid))]
    size = sum(volume["size"] for volume in volumes)
    used = sum(world.dataplane.used(volume["uuid"]) for volume in volumes) if wanted.has("space") else 0
    return shown | {
        "volumes": [{"uuid": volume["uuid"], "name": volume["name"]} for volume in volumes],
        "replicated": False,
        "space": {"size": size, "used": used, "available": max(0, size - used)},
    }


GROUP = Shape(
    href="/application/consistency-groups/{uuid}",
    keys=("uuid", "name"),
    common=("svm.name", "svm.uuid", "replicated", "volumes.name", "volumes.uuid")
    + ("space.size", "space.used", "space.available"),
    costly=(),
    render=render,
)


def group_of(world: World, volume: str) -> Record | None:
    """The group that a volume (uuid) is in."""
    return next((group for group in world.store.find(KIND) if volume in group["volumes"]), None)


def members(world: World, svm: dict[str, str], wishes: list[dict[str, Any]], there: list[str]) -> list[str]:
    """The volumes (uuid) of a group after a request that adds some and, with ``action`` remove, takes some out."""
    found = list(there)
    for wish in wishes:
        volume = _volume(world, svm, wish)
        action = (wish.get("provisioning_options") or {}).get("action") or "add"
        if action == "remove":
            found = [uuid for uuid in found if uuid != volume["uuid"]]
        elif volume["uuid"] not in found:
            _check_free(world, volume)
            found.append(volume["uuid"])
    if not found:
        raise errors.NoVolumes()
    if len(found) > VOLUMES_MAX:
        raise errors.TooManyVolumes(len(found), VOLUMES_MAX)
    return found


def _volume(world: World, svm: dict[str, str], wish: dict[str, Any]) -> Record:
    for volume in world.store.find("volume", svm__uuid=svm["uuid"]):
        if wish.get("uuid") in (None, volume["uuid"]) and wish.get("name") in (None, volume["name"]):
            return volume
    raise errors.NoSuchVolume(str(wish.get("name") or wish.get("uuid")), svm["name"])


def _check_free(world: World, volume: Record) -> None:
    if group := group_of(world, volume["uuid"]):
        raise errors.InAnotherGroup(volume["name"], group["name"])
    if volume["locking"]:
        raise errors.NotWithLocking(volume["name"])


@rules.rule("delete")
def check_not_member(world: World, volume: Record) -> None:
    if group := group_of(world, volume["uuid"]):
        raise errors.IsMember(volume["name"], group["name"])
