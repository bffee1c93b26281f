"""How two clusters become peers: both know the passphrase, and the second of them to be told finds the first."""

from __future__ import annotations

import hmac
from datetime import datetime
from typing import Any, Protocol

from emulator.clock import Clock
from emulator.errors import OntapError
from emulator.intercluster import signing
from emulator.store import Record, Store

NAME = "handshake"
KIND = "cluster_peer"


class Place(Protocol):
    """What is needed of the world, which has the peers and so cannot be named here."""

    store: Store
    clock: Clock

    @property
    def config(self) -> Any: ...


class NotExpected(OntapError):
    """The other cluster has not been told of this one yet; it will call when it is."""

    status, code = 404, "4653067"

    def __init__(self) -> None:
        super().__init__("The remote cluster has no peer relationship that waits for this one.")


class PassphraseMismatch(OntapError):
    status, code = 400, "4653069"

    def __init__(self) -> None:
        super().__init__("The passphrase does not match that of the remote cluster.")


def facts(world: Place) -> dict[str, Any]:
    """What a cluster tells of itself."""
    cluster = world.store.find("cluster")[0]
    return {
        "uuid": cluster["uuid"],
        "name": cluster["name"],
        "serial_number": cluster["uuid"][:8],
        "ip_address": world.config.intercluster_ip,
        "version": world.config.ontap_version,
    }


def proof(key: str, cluster: str) -> str:
    """That a cluster (uuid) knows the passphrase of this key."""
    return hmac.new(bytes.fromhex(key), cluster.encode(), "sha256").hexdigest()


def answer(world: Place, asked: dict[str, Any]) -> dict[str, Any]:
    """A cluster that knows the passphrase of a waiting relationship completes it. 4653069 for another passphrase."""
    waiting = [peer for peer in world.store.find(KIND) if _waits_for(world, peer, asked)]
    if not waiting:
        raise NotExpected()
    for peer in waiting:
        if hmac.compare_digest(proof(peer["key"], asked["uuid"]), str(asked["proof"])):
            complete(world, peer, asked)
            return facts(world) | {"proof": proof(peer["key"], facts(world)["uuid"])}
    raise PassphraseMismatch()


def _waits_for(world: Place, peer: Record, asked: dict[str, Any]) -> bool:
    """An offer without an address is for whoever knows its passphrase; one that is answered may be answered again."""
    if peer["remote_uuid"] not in (None, asked["uuid"]):
        return False
    if peer["ip_addresses"] and asked["ip_address"] not in peer["ip_addresses"]:
        return False
    return peer["remote_uuid"] is not None or datetime.fromisoformat(peer["expiry_time"]) > world.clock.now()


def complete(world: Place, peer: Record, other: dict[str, Any]) -> Record:
    """From now on the two clusters know each other."""
    own = facts(world)["uuid"]
    return world.store.update(
        KIND,
        peer["uuid"],
        remote_uuid=other["uuid"],
        remote={name: other[name] for name in ("name", "serial_number", "version")},
        name=peer["name"] or free_name(world, other, peer["uuid"]),
        ip_addresses=peer["ip_addresses"] or [other["ip_address"]],
        secret=signing.secret_of(peer["key"], own, other["uuid"]),
        available=True,
        update_time=world.clock.iso(),
    )


def free_name(world: Place, other: dict[str, Any], but: str) -> str:
    """The other cluster's name, told apart where this one or another peer has it."""
    taken = {facts(world)["name"]} | {peer["name"] for peer in world.store.find(KIND) if peer["uuid"] != but}
    return other["name"] if other["name"] not in taken else f"{other['name']}-{other['uuid'][:8]}"
