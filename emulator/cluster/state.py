"""The cluster itself and its one node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from emulator.fields import Shape, Wanted
from emulator.store import Record

if TYPE_CHECKING:
    from emulator.world import World

KIND = "cluster"
NODE = "node"
CLUSTER_NAME = "emulator"
NODE_NAME = "node1"


def _version(world: World) -> dict[str, Any]:
    generation, major, minor = world.config.version
    full = f"NetApp Release {world.config.ontap_version}: ONTAP emulator"
    return {"full": full, "generation": generation, "major": major, "minor": minor}


def render_cluster(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    return {
        "name": record["name"],
        "uuid": record["uuid"],
        "location": "",
        "contact": "",
        "version": _version(world),
        "timezone": {"name": "Etc/UTC"},
        "dns_domains": [],
    }


def render_node(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    return {
        "uuid": record["uuid"],
        "name": record["name"],
        "state": "up",
        "date": world.clock.iso(),
        "model": "emulator",
        "serial_number": record["uuid"][:8],
        "uptime": 86400,
        "version": _version(world),
    }


_VERSION = ("version.full", "version.generation", "version.major", "version.minor")
CLUSTER = Shape(
    href="/cluster",
    # There is only one, so nothing need be shown to tell it from others.
    keys=(),
    common=("name", "uuid", "location", "contact", "timezone.name", "dns_domains", *_VERSION),
    costly=(),
    render=render_cluster,
)
NODE_SHAPE = Shape(
    href="/cluster/nodes/{uuid}",
    keys=("uuid", "name"),
    common=("state", "date", "model", "serial_number", "uptime", *_VERSION),
    costly=(),
    render=render_node,
)


def seed(world: World) -> None:
    world.store.insert(KIND, {"uuid": str(uuid4()), "name": world.config.cluster})
    world.store.insert(NODE, {"uuid": str(uuid4()), "name": NODE_NAME})
