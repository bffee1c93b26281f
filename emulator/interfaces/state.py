"""Network interfaces (LIFs): the addresses under which an SVM's data is reached."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4, uuid5

from emulator.fields import Shape, Wanted
from emulator.store import Record
from emulator.svms import parts

if TYPE_CHECKING:
    from emulator.world import World

KIND = parts.belongs("ip_interface")
SERVICES = ["data_core", "data_nfs", "data_s3_server", "management_https"]


_INTERCLUSTER = {"scope": "cluster", "service_policy": {"name": "default-intercluster"}}


def intercluster(world: World) -> Record:
    """The interface of the cluster itself at which peers reach it. It has no record: the address is the process's."""
    cluster = world.store.find("cluster")[0]
    ip = {"address": world.config.intercluster_ip, "netmask": "8", "family": "ipv4"}
    uuid = str(uuid5(UUID(cluster["uuid"]), "intercluster"))
    record = {"uuid": uuid, "name": "intercluster1", "svm": None, "ip": ip, "services": ["intercluster_core"]}
    return record | {"_seq": 0}


def render(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    shown = {key: record[key] for key in ("uuid", "name", "svm", "ip", "services")}
    return (
        shown
        | {
            "enabled": True,
            "state": "up",
            "scope": "svm",
            "ipspace": {"name": "Default"},
            "service_policy": {"name": "default-data-files"},
            "location": {"node": {"name": "node1"}, "home_node": {"name": "node1"}, "is_home": True},
        }
        | ({} if record["svm"] else _INTERCLUSTER)
    )


INTERFACE = Shape(
    href="/network/ip/interfaces/{uuid}",
    keys=("uuid", "name"),
    common=("svm.name", "svm.uuid", "ip.address", "ip.netmask", "ip.family", "enabled", "state", "scope")
    + ("ipspace.name", "service_policy.name", "services", "location.is_home")
    + ("location.node.name", "location.home_node.name"),
    costly=(),
    render=render,
)


def seed(world: World, svm: dict[str, str]) -> None:
    record = {"uuid": str(uuid4()), "name": "lif1", "svm": svm, "ip": _ip(world), "services": SERVICES}
    world.store.insert(KIND, record)


def readdress(world: World) -> None:
    """Let interfaces made under another name of the emulator be reached where it is now."""
    for record in world.store.find(KIND):
        if record["ip"] != _ip(world):
            world.store.update(KIND, record["uuid"], ip=_ip(world))


def _ip(world: World) -> dict[str, str]:
    """A container's address may be another one after each start: clients are given its name in place of it."""
    return {"address": world.config.name, "netmask": "8", "family": "ipv4"}
