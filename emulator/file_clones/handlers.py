from __future__ import annotations

from emulator import rules
from emulator.errors import MissingField, NotFound, NotSupported
from emulator.file_clones import state
from emulator.files import places
from emulator.rest import Call, Reply, accepted
from emulator.snaplock import kept
from emulator.store import Record
from emulator.svms.state import visible
from emulator.volumes.errors import VolumeOffline
from emulator.volumes.places import is_flexgroup


def _volume(call: Call) -> Record:
    """The volume that the body names; by its name alone only where one SVM has it."""
    wish = call.body.get("volume") or {}
    if not wish.get("name") and not wish.get("uuid"):
        raise MissingField("volume.uuid")
    found = [
        volume
        for volume in visible(call, call.world.store.find("volume"))
        if wish.get("uuid") in (None, volume["uuid"]) and wish.get("name") in (None, volume["name"])
    ]
    if len(found) != 1:
        raise NotFound("volume")
    return found[0]


def create(call: Call) -> Reply:
    body, volume = call.body, _volume(call)
    for name in ("source_path", "destination_path"):
        if not body.get(name):
            raise MissingField(name)
    rules.check("write", call.world, volume)
    if volume["state"] != "online":
        raise VolumeOffline(volume["name"])
    if is_flexgroup(volume):
        raise NotSupported(f'Volume "{volume["name"]}" is a FlexGroup volume: files of it are not cloned.', "volume")
    ranges = [state.blocks(each) for each in body.get("range") or []]
    if ranges:
        return _ranges(call, volume, ranges)
    overwrite = bool(body.get("overwrite_destination"))
    source = places.find(call.world, volume, body["source_path"])
    target = places.writable(call.world, volume, body["destination_path"])
    kept.check_path(call.world, volume, target.path)
    state.check(source, target, overwrite=overwrite)
    args = {"volume": volume["uuid"], "source": body["source_path"], "target": body["destination_path"]}
    return accepted(call, "file.clone", args | {"overwrite": overwrite}, svm=volume["svm"])


def _ranges(call: Call, volume: Record, ranges: list[state.Blocks]) -> Reply:
    """Blocks of one file over those of another, or of itself."""
    body = call.body
    source = places.find(call.world, volume, body["source_path"])
    state.check_ranges(source, places.writable(call.world, volume, body["destination_path"]), ranges)
    args = {"volume": volume["uuid"], "source": body["source_path"], "target": body["destination_path"]}
    return accepted(call, "file.clone_blocks", args | {"ranges": ranges}, svm=volume["svm"])
