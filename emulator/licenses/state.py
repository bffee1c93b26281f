"""Licences, by package. They are shown and taken away as ONTAP's are, and allow what they do not show all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emulator.cluster import state as cluster
from emulator.fields import Shape, Wanted
from emulator.store import Record

if TYPE_CHECKING:
    from emulator.world import World

KIND = "license"
PACKAGES = {
    "base": "Cluster Base License",
    "cifs": "CIFS License",
    "flexclone": "FlexClone License",
    "nfs": "NFS License",
    "s3": "S3 License",
    "snaplock": "SnapLock License",
    "snapmirror": "SnapMirror License",
    "snapmirror_sync": "SnapMirror Synchronous License",
    "snaprestore": "SnapRestore License",
    "tamperproof_snap": "Tamperproof Snapshot License",
}
SERIAL = "1-80-000011"
UNLICENSED = "unlicensed"


def render(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    shown = {key: record[key] for key in ("name", "description", "scope", "state")}
    if record["state"] == UNLICENSED:
        return shown
    owner = {
        "owner": world.store.find(cluster.KIND)[0]["name"],
        "serial_number": SERIAL,
        "active": True,
        "evaluation": False,
    }
    return shown | {"licenses": [owner | {"compliance": {"state": record["state"]}, "installed_license": "ONTAP One"}]}


LICENSE = Shape(
    href="/cluster/licensing/licenses/{name}",
    keys=("name",),
    common=(
        *("scope", "state", "description", "licenses.owner", "licenses.serial_number", "licenses.active"),
        *("licenses.evaluation", "licenses.compliance.state", "licenses.installed_license"),
    ),
    costly=(),
    render=render,
)


def add_presets(world: World) -> None:
    """All of them; a state written by an older emulator has none."""
    if world.store.find(KIND):
        return
    for name, description in PACKAGES.items():
        facts = {"name": name, "description": description, "scope": "cluster", "state": "compliant"}
        world.store.insert(KIND, {"uuid": name, **facts})
