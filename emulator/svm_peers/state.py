"""SVM peers: which SVM may use which other's volumes, on this cluster or on a peered one.

Each side has a record of its own, with a uuid of its own; ``pair`` is the same on both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from emulator.body import Accepts, flag, text
from emulator.cluster_peers import state as cluster_peers
from emulator.fields import Shape, Wanted
from emulator.intercluster import offers
from emulator.store import Record
from emulator.svm_peers import errors
from emulator.svms import parts
from emulator.svms.state import ref
from emulator.values import one_of

if TYPE_CHECKING:
    from emulator.world import World

KIND = parts.belongs("svm_peer")
_APPLICATIONS = one_of("snapmirror", "flexcache", "file_copy", "lun_copy")
USERS: list[Any] = []
"""Functions (world, record) that name what uses a peer relationship; each resource adds its own."""


def applications(value: Any) -> list[str]:
    return [_APPLICATIONS(item) for item in (value if isinstance(value, list) else [value])]


PATCH_FIELDS: Accepts = {
    "state": one_of("peered", "rejected", "suspended"),
    "applications": applications,
    "name": text,
    "force": flag,
}
POST_FIELDS: Accepts = {
    "svm.name": text,
    "svm.uuid": text,
    "peer.svm.name": text,
    "peer.svm.uuid": text,
    "peer.cluster.name": text,
    "peer.cluster.uuid": text,
    "applications": applications,
    "name": text,
    "force": flag,
}


def render(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    cluster = world.store.get(cluster_peers.KIND, record["cluster"]) if record["cluster"] else None
    own = world.store.find("cluster")[0]
    named = (
        {"name": cluster["name"], "uuid": cluster["remote_uuid"]} if cluster else {k: own[k] for k in ("name", "uuid")}
    )
    return {key: record[key] for key in ("uuid", "name", "svm", "state", "applications")} | {
        "peer": {"svm": record["peer_svm"], "cluster": named}
    }


PEER = Shape(
    href="/svm/peers/{uuid}",
    keys=("uuid", "name"),
    common=("svm.name", "svm.uuid", "state", "applications", "peer.svm.name", "peer.svm.uuid")
    + ("peer.cluster.name", "peer.cluster.uuid"),
    costly=(),
    render=render,
)


def new(svm: dict[str, str], peer_svm: dict[str, str], **facts: Any) -> Record:
    """A record; not stored yet. ``cluster`` is the cluster peer's uuid, None for an SVM of this cluster."""
    record = {"uuid": str(uuid4()), "svm": svm, "peer_svm": peer_svm, "name": peer_svm["name"], "cluster": None}
    return record | {key: value for key, value in facts.items() if value is not None}


def check_new(world: World, svm: dict[str, str], peer_svm: dict[str, str], name: str, cluster: str | None) -> None:
    for known in world.store.find(KIND, svm__uuid=svm["uuid"]):
        if known["peer_svm"]["uuid"] == peer_svm["uuid"]:
            raise errors.AlreadyPeered(svm["name"], known["name"])
        if known["name"] == name:
            raise errors.NameTaken(name)
    if cluster and world.store.find("svm", name=name):
        raise errors.NameTaken(name)


def tell(world: World, record: Record, name: str, **arguments: Any) -> dict[str, Any]:
    """Have the other side do something to its record."""
    if record["cluster"] is None:
        return LOCAL[name](world, record, arguments | {"pair": record["pair"]})
    cluster = world.store.get(cluster_peers.KIND, record["cluster"])
    assert cluster is not None
    return world.peers.call(cluster, f"svm_peer.{name}", arguments | {"pair": record["pair"]})


def usable(world: World, svm: dict[str, str], name: str, application: str) -> Record:
    """The relationship by which an SVM (name, uuid) reaches the SVM that it knows as ``name``. 26345576 if none."""
    for record in world.store.find(KIND, svm__uuid=svm["uuid"]):
        if record["name"] == name and record["state"] == "peered" and application in record["applications"]:
            return record
    raise errors.NotPeered(svm["name"], name, application)


def cluster_of(world: World, record: Record) -> Record | None:
    """The cluster peer that the peer SVM lives on; None where it is this cluster."""
    return world.store.get(cluster_peers.KIND, record["cluster"]) if record["cluster"] else None


def _svm(world: World, name: str, cluster: str) -> Record:
    found = world.store.find("svm", name=name)
    if not found:
        raise errors.NoSuchPeerSvm(name, cluster)
    return found[0]


def propose(world: World, peer: Record | None, asked: dict[str, Any]) -> dict[str, Any]:
    """The other side of a new relationship: pending until somebody accepts it, or at once where the peer may."""
    own = world.store.find("cluster")[0]["name"]
    svm = ref(_svm(world, asked["svm"], own))
    offered = asked["from"]
    cluster = peer["uuid"] if peer else None
    taken = world.store.find("svm", name=offered["name"]) if cluster else []
    name = f"{offered['name']}.1" if taken else offered["name"]
    known = [each for each in world.store.find(KIND, svm__uuid=svm["uuid"]) if each["pair"] == asked["pair"]]
    if not known:
        check_new(world, svm, offered, name, cluster)
    allowed = peer is None or bool({"*", svm["name"]} & set(peer["allowed_svms"]))
    state = "peered" if allowed else "pending"
    if not known:
        facts = {"pair": asked["pair"], "applications": asked["applications"], "state": state}
        world.store.insert(KIND, new(svm, offered, cluster=cluster, name=name, **facts))
    return {"svm": svm, "state": known[0]["state"] if known else state}


def change(world: World, peer: Record | None, asked: dict[str, Any]) -> dict[str, Any]:
    for record in world.store.find(KIND):
        theirs = peer is None or record["cluster"] == peer["uuid"]
        if record["pair"] == asked["pair"] and theirs and record["uuid"] != asked.get("but"):
            world.store.update(KIND, record["uuid"], **asked["changes"])
    return {}


def drop(world: World, peer: Record | None, asked: dict[str, Any]) -> dict[str, Any]:
    for record in world.store.find(KIND):
        theirs = peer is None or record["cluster"] == peer["uuid"]
        if record["pair"] == asked["pair"] and theirs and record["uuid"] != asked.get("but"):
            if users := users_of(world, record):
                raise errors.InUseByMirrors(record["svm"]["name"], record["name"], users)
            world.store.delete(KIND, record["uuid"])
    return {}


def users_of(world: World, record: Record) -> list[str]:
    return [name for users in USERS for name in users(world, record)]


LOCAL = {
    "propose": lambda world, record, asked: propose(world, None, asked),
    "change": lambda world, record, asked: change(world, None, asked | {"but": record["uuid"]}),
    "drop": lambda world, record, asked: drop(world, None, asked | {"but": record["uuid"]}),
}


@offers("svm_peer.propose")
def _proposed(world: World, peer: Record, asked: dict[str, Any]) -> dict[str, Any]:
    with world.store.transaction():
        return propose(world, peer, asked)


@offers("svm_peer.change")
def _changed(world: World, peer: Record, asked: dict[str, Any]) -> dict[str, Any]:
    with world.store.transaction():
        return change(world, peer, asked)


@offers("svm_peer.drop")
def _dropped(world: World, peer: Record, asked: dict[str, Any]) -> dict[str, Any]:
    with world.store.transaction():
        return drop(world, peer, asked)


def of_pair(world: World, peer: Record, pair: str, application: str) -> Record:
    """The record of this side under which a peered cluster may use an SVM. 26345576 if it may not."""
    for record in world.store.find(KIND, cluster=peer["uuid"]):
        if record["pair"] == pair and record["state"] == "peered" and application in record["applications"]:
            return record
    raise errors.NotPeered("?", peer["name"], application)
