"""Clones of single files: within one volume, also out of a snapshot, which is how one file is restored."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from emulator import trees
from emulator.body import Accepts, flag, text
from emulator.errors import NotFound
from emulator.files import errors, places
from emulator.jobs import operation

if TYPE_CHECKING:
    from emulator.world import World

POST_FIELDS: Accepts = {
    "volume.name": text,
    "volume.uuid": text,
    "source_path": text,
    "destination_path": text,
    "overwrite_destination": flag,
}


@operation("file.clone")
def clone(world: World, args: dict[str, Any]) -> None:
    """Built beside and renamed into place: at no moment is there half a file. Done again, it does the same again."""
    volume = world.store.get("volume", args["volume"])
    if volume is None:
        raise NotFound("volume.uuid")
    with world.dataplane.lock(volume["uuid"]):
        source = places.find(world, volume, args["source"])
        target = places.writable(world, volume, args["target"])
        check(source, target, overwrite=args["overwrite"])
        stage = world.dataplane.stage()
        trees.copy_file(source.at, stage, mode=source.mode())
        os.replace(stage, target.at)  # noqa: PTH105
    world.dataplane.forget_used(volume["uuid"])


def check(source: places.Place, target: places.Place, *, overwrite: bool) -> None:
    if not source.exists():
        raise errors.NoSuchFile(source.path)
    if source.at.is_dir() and not source.at.is_symlink():
        raise errors.IsADirectory(source.path)
    if target.at.is_dir() and not target.at.is_symlink():
        raise errors.IsADirectory(target.path)
    if target.exists() and not overwrite:
        raise errors.FileExists(target.path)
    if not target.at.parent.is_dir():
        raise errors.NoSuchFile(target.path)
