"""The root volume of an SVM: mounted at ``/``, made with the SVM and gone with it.

It is listed and can be read, frozen and set like any other. What lies at the top of the namespace's directory is not in
it, so nothing is seen below it but the volumes mounted there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from emulator.errors import NotSupported
from emulator.export_policies import state as export_policies
from emulator.store import Record
from emulator.svms import parts
from emulator.volumes import checks
from emulator.volumes.junctions import ROOT as JUNCTION

if TYPE_CHECKING:
    from emulator.world import World

SIZE = 1024**3
MODE = 0o755


def is_root(record: Record) -> bool:
    return record["junction"] == JUNCTION


@parts.begins_with
def add(world: World, svm: Record) -> None:
    """Give an SVM its root volume, unless it has one: a state written by an older emulator has none."""
    if any(is_root(volume) for volume in world.store.find(checks.KIND, svm__uuid=svm["uuid"])):
        return
    ref = {"name": svm["name"], "uuid": svm["uuid"]}
    taken = {volume["name"] for volume in world.store.find(checks.KIND, svm__uuid=svm["uuid"])}
    name = f"{svm['name']}_root"
    record = {
        "uuid": str(uuid4()),
        "name": name if name not in taken else f"{name}_vol",
        "svm": ref,
        "size": SIZE,
        "state": "online",
        "comment": "",
        "tags": [],
        "language": "c.utf_8",
        "create_time": world.clock.iso(),
        # An SVM to which no aggregate is assigned has its root volume somewhere, too.
        "aggregate": (svm["aggregates"] or world.store.find("aggregate"))[0]["name"],
        "junction": JUNCTION,
        "nas": checks.owner_kept({"uid": 0, "gid": 0}),
        "options": {},
        "export_policy": export_policies.default_of(world, ref)["uuid"],
        "security_style": "unix",
        "guarantee": "none",
        "snapshot_policy": "default",
        "locking": False,
        "clone": None,
    }
    # The directory first: after a kill one without a record is cleaned away.
    world.dataplane.create_volume(record["uuid"], mode=MODE, uid=0, gid=0)
    world.store.insert(checks.KIND, record)


@parts.ends_with
def remove(world: World, svm: Record) -> None:
    for volume in world.store.find(checks.KIND, svm__uuid=svm["uuid"]):
        with world.store.transaction():
            for snapshot in world.store.find("snapshot", volume=volume["uuid"]):
                world.store.delete("snapshot", snapshot["uuid"])
            world.store.delete(checks.KIND, volume["uuid"])
        world.dataplane.delete_volume(volume["uuid"])


def check_change(record: Record, changes: dict[str, Any]) -> None:
    """A root volume is always online and always mounted at the root of the namespace."""
    if not is_root(record):
        return
    if changes.get("junction", JUNCTION) != JUNCTION:
        raise NotSupported(f'Volume "{record["name"]}" is the root volume of its SVM and stays mounted at "/".', "nas")
    if changes.get("state", "online") != "online":
        raise NotSupported(f'Volume "{record["name"]}" is the root volume of its SVM and stays online.', "state")


def check_delete(record: Record) -> None:
    if is_root(record):
        raise NotSupported(f'Volume "{record["name"]}" is the root volume of its SVM and goes with the SVM only.')
