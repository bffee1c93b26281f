"""The cluster's Onboard Key Manager, without which no volume is encrypted. External ones are not emulated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from emulator.body import Accepts, text
from emulator.fields import Shape, Wanted
from emulator.jobs import operation
from emulator.key_managers import errors
from emulator.store import Record

if TYPE_CHECKING:
    from emulator.world import World

KIND = "key_manager"
_PASSPHRASE = range(64, 257)
POST_FIELDS: Accepts = {"onboard.passphrase": text}


def render(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    shown = {"uuid": record["uuid"], "scope": "cluster", "onboard": {"enabled": True}}
    return shown | {"is_default_data_at_rest_encryption_disabled": True}


KEY_MANAGER = Shape(
    href="/security/key-managers/{uuid}",
    keys=("uuid",),
    common=("scope", "onboard.enabled"),
    costly=("is_default_data_at_rest_encryption_disabled",),
    render=render,
)


def check_new(world: World, body: dict[str, Any]) -> None:
    if len((body.get("onboard") or {}).get("passphrase") or "") not in _PASSPHRASE:
        raise errors.BadPassphrase()
    if world.store.find(KIND):
        raise errors.AlreadyThere()


def add(world: World) -> Record:
    """The passphrase is not kept: nothing here is ever unlocked with it."""
    return world.store.insert(KIND, {"uuid": str(uuid4())})


@operation("key_manager.delete")
def delete(world: World, args: dict[str, Any]) -> None:
    for volume in world.store.find("volume"):
        if volume["options"].get("encryption.enabled"):
            raise errors.StillUsed(volume["name"])
    world.store.delete(KIND, args["uuid"])
