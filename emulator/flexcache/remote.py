"""Origins on peered clusters: what a cache's cluster asks, and what the origin's cluster answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emulator.errors import OntapError
from emulator.flexcache import errors, origins
from emulator.intercluster import offers
from emulator.store import Record
from emulator.svm_peers import state as svm_peers

if TYPE_CHECKING:
    from emulator.world import World

_APPLICATION = "flexcache"


def named(world: World, wish: dict[str, Any], svm: dict[str, str]) -> tuple[dict[str, Any], str | None]:
    """The facts of the volume that is to be the origin, and by which SVM peer (uuid) it is reached; None for one here.

    66846735 where the SVM is neither here nor a peer.
    """
    whose, volume = wish.get("svm") or {}, wish.get("volume") or {}
    name, cluster = whose.get("name"), (wish.get("cluster") or {}).get("name")
    if cluster in (None, origins.cluster(world)["name"]):
        for own in world.store.find("svm"):
            if own["name"] == name or own["uuid"] == whose.get("uuid"):
                return origins.here(world, volume, own), None
    try:
        peer = svm_peers.usable(world, svm, name or "", _APPLICATION)
    except OntapError as error:
        raise errors.NotPeered(name or str(whose.get("uuid")), svm["name"]) from error
    if svm_peers.cluster_of(world, peer) is None:
        return origins.here(world, volume, peer["peer_svm"]), None
    return _ask(world, peer, "origin", volume=volume), peer["uuid"]


def look(world: World, cache: Record) -> dict[str, Any]:
    """The facts of a cache's origin, as its cluster tells them now."""
    return _ask(world, _peer(world, cache), "origin", volume={"uuid": cache["origin"]["volume"]["uuid"]})


def address(world: World, peer: str | None) -> str:
    """The intercluster address of the cluster of an SVM peer (uuid); of this cluster for None."""
    record = world.store.get(svm_peers.KIND, peer) if peer else None
    cluster = svm_peers.cluster_of(world, record) if record else None
    return cluster["ip_addresses"][0] if cluster else world.config.intercluster_ip


def register(world: World, cache: Record, told: dict[str, Any]) -> None:
    """Tell the origin's cluster of a cache; done again, it changes nothing."""
    volume = cache["origin"]["volume"]["uuid"]
    if cache["peer"]:
        _ask(world, _peer(world, cache), "register", volume=volume, cache=told)
    else:
        origins.add(world, volume, told)


def forget(world: World, cache: Record) -> None:
    """Tell the origin's cluster that a cache is no more. 66846923 when it cannot be told: it would go on naming it."""
    if not cache["peer"]:
        origins.remove(world, cache["uuid"])
        return
    try:
        _ask(world, _peer(world, cache), "forget", cache=cache["uuid"])
    except OntapError as error:
        origin = f"{cache['origin']['svm']['name']}:{cache['origin']['volume']['name']}"
        volume = _volume(world, cache)
        named = volume["name"] if volume else cache["uuid"]
        raise errors.OriginUnreachable(origin, named, error.message.rstrip(".")) from error


def _peer(world: World, cache: Record) -> Record:
    record = world.store.get(svm_peers.KIND, cache["peer"])
    if record is None:
        raise errors.NotPeered(cache["origin"]["svm"]["name"], cache["svm"]["name"])
    return record


def _ask(world: World, peer: Record, name: str, **asked: Any) -> dict[str, Any]:
    cluster = svm_peers.cluster_of(world, peer)
    if cluster is None:
        raise errors.NotPeered(peer["peer_svm"]["name"], peer["svm"]["name"])
    return world.peers.call(cluster, f"flexcache.{name}", {"pair": peer["pair"]} | asked)


@offers("flexcache.origin")
def _origin(world: World, peer: Record, asked: dict[str, Any]) -> dict[str, Any]:
    own = svm_peers.of_pair(world, peer, asked["pair"], _APPLICATION)
    return origins.here(world, asked["volume"], own["svm"])


@offers("flexcache.register")
def _register(world: World, peer: Record, asked: dict[str, Any]) -> dict[str, Any]:
    own = svm_peers.of_pair(world, peer, asked["pair"], _APPLICATION)
    with world.store.transaction():
        origins.here(world, {"uuid": asked["volume"]}, own["svm"])
        origins.add(world, asked["volume"], asked["cache"], pair=asked["pair"])
    return {}


@offers("flexcache.forget")
def _forget(world: World, peer: Record, asked: dict[str, Any]) -> dict[str, Any]:
    with world.store.transaction():
        known = world.store.get(origins.KIND, asked["cache"])
        if known and known["pair"] == asked["pair"]:
            origins.remove(world, asked["cache"])
    return {}


def users(world: World, record: Record) -> list[str]:
    """The caches that an SVM peer relationship is needed for, at either end."""
    here = [volume["name"] for c in world.store.find("flexcache", peer=record["uuid"]) if (volume := _volume(world, c))]
    there = world.store.find(origins.KIND, pair=record["pair"])
    return here + [entry["cache"]["volume"]["name"] for entry in there]


def _volume(world: World, cache: Record) -> Record | None:
    return world.store.get("volume", cache["uuid"])


svm_peers.USERS.append(users)
