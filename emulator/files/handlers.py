from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

from emulator import rules, trees
from emulator.errors import BadValue, MissingField
from emulator.files import errors, places, state
from emulator.files.places import Place
from emulator.rest import Call, Reply, many
from emulator.snaplock import kept
from emulator.store import Record
from emulator.volumes.errors import VolumeOffline
from emulator.volumes.handlers import volume


def _readable(call: Call) -> Record:
    home = volume(call, "volume.uuid")
    rules.check("read", call.world, home)
    if home["state"] != "online":
        raise VolumeOffline(home["name"])
    return home


@contextmanager
def _changing(call: Call) -> Iterator[tuple[Record, Place]]:
    """The volume and the place that the path names, for somebody who is about to change it."""
    home = _readable(call)
    rules.check("write", call.world, home)
    with call.world.dataplane.lock(home["uuid"]):
        place = places.writable(call.world, home, call.params["path"])
        kept.check_path(call.world, home, place.path)
        yield home, place
    call.world.dataplane.forget_used(home["uuid"])


def list_files(call: Call) -> Reply:
    """A folder's entries; of anything else, or with ``return_metadata=true``, the thing itself."""
    home = _readable(call)
    place = places.find(call.world, home, call.params.get("path", ""))
    if not place.exists():
        raise errors.NoSuchFile(call.params.get("path", ""))
    own = state.record_of(home, place)
    if call.flag("return_metadata") or not own or own["type"] != "directory":
        return many(call, state.FILE, [own] if own else [])
    return many(call, state.FILE, state.entries(home, place))


def create(call: Call) -> Reply:
    """A folder, or a symbolic link with ``target``. Contents come over NFS or S3 only."""
    body = call.body
    kind = body.get("type") or ("symlink" if body.get("target") else None)
    if kind is None:
        raise MissingField("type")
    if (kind == "symlink") != bool(body.get("target")):
        raise BadValue(body.get("target"), "target", "where the link leads, of a symlink only")
    with _changing(call) as (home, place):
        if place.exists():
            raise errors.FileExists(place.path)
        _require_folder(place)
        if kind == "symlink":
            place.at.symlink_to(body["target"])
        else:
            place.at.mkdir()
            place.at.chmod(body.get("unix_permissions", 0o755))
    return Reply(201, {}, {"Location": f"/api/storage/volumes/{home['uuid']}/files/{quote(place.path, safe='')}"})


def modify(call: Call) -> Reply:
    """Permissions, and with ``path`` another name."""
    with _changing(call) as (home, place):
        if not place.exists():
            raise errors.NoSuchFile(place.path)
        if (mode := call.body.get("unix_permissions")) is not None and not place.at.is_symlink():
            place.at.chmod(mode)
        if call.body.get("path"):
            target = places.writable(call.world, home, call.body["path"])
            if target.exists():
                raise errors.FileExists(target.path)
            _require_folder(target)
            place.at.rename(target.at)
    return Reply(200, {})


def delete(call: Call) -> Reply:
    recurse = call.flag("recurse")
    with _changing(call) as (_, place):
        if not place.exists():
            raise errors.NoSuchFile(place.path)
        if place.at.is_symlink() or not place.at.is_dir():
            place.at.unlink()
        elif recurse:
            trees.remove_tree(place.at)
        else:
            _remove_empty(place)
    return Reply(200, {})


def _remove_empty(place: Place) -> None:
    if os.listdir(place.at):  # noqa: PTH208
        raise errors.NotEmpty(place.path)
    place.at.rmdir()


def _require_folder(place: Place) -> None:
    if not place.at.parent.is_dir():
        raise errors.NoSuchFile(place.path)
