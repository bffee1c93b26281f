"""What is refused on the destination and on the source of a mirror."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator import rules
from emulator.snapmirror import errors
from emulator.store import Record
from emulator.svm_peers import state as svm_peers

if TYPE_CHECKING:
    from emulator.world import World

KIND, SOURCE = "snapmirror", "snapmirror_source"


def is_dp(volume: Record) -> bool:
    return volume.get("type", "rw") == "dp"


@rules.rule("write", "restore", "split")
def _not_written(world: World, volume: Record) -> None:
    if is_dp(volume):
        raise errors.DpReadOnly(volume["name"])


@rules.rule("snapshot.create", "snapshot.modify")
def _no_snapshots(world: World, volume: Record) -> None:
    if is_dp(volume):
        raise errors.DpNoSnapshots(volume["name"])


@rules.rule("delete")
def _kept(world: World, volume: Record) -> None:
    for relationship in world.store.find(KIND):
        if relationship["destination_volume"] == volume["uuid"]:
            raise errors.IsDestination(volume["name"], relationship["source"])
    if destinations := [each["destination"] for each in world.store.find(SOURCE, volume=volume["uuid"])]:
        raise errors.IsSource(volume["name"], destinations)


def _users(world: World, peering: Record) -> list[str]:
    mirrors = [each["destination"] for each in world.store.find(KIND) if each["peering"] == peering["uuid"]]
    return mirrors + [each["destination"] for each in world.store.find(SOURCE) if each["peering"] == peering["uuid"]]


svm_peers.USERS.append(_users)
