"""Peers: clusters that know each other, and SVMs that may mirror to each other and cache each other's volumes.

Both ends are needed to make one: each cluster is told the other's intercluster addresses and the same passphrase. It is
made up here for each try and kept nowhere, so what an earlier try left half-made is begun again. Peering clusters takes
an administrator of both; to see whether two SVMs are peers, the account of one SVM will do.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ontap_mlops.ontap.client import Client, repeatable
from ontap_mlops.ontap.errors import InvalidRequest, JobStillRunning, NameTaken, NotFound
from ontap_mlops.pauses import looks

APPLICATIONS = ("snapmirror", "flexcache")
PEERED = "peered"
_PEER_FIELDS = "uuid,name,remote.name,remote.ip_addresses,authentication.state,status.state"
_SVM_PEER_FIELDS = "uuid,name,svm.name,peer.svm.name,peer.cluster.name,state,applications"
_KNOWN_S = 20.0
_LONGEST_PAUSE_S = 2.0


@dataclass(frozen=True, kw_only=True)
class Peer:
    """Another cluster as this one knows it. ``authenticated``: both ends have agreed on the passphrase."""

    uuid: str
    name: str
    addresses: tuple[str, ...]
    authenticated: bool
    available: bool


@dataclass(frozen=True, kw_only=True)
class SvmPeer:
    """``name`` is what the SVM here calls the one there, in the paths of mirrors and the origins of caches.

    ``peer_cluster`` is empty for a peer on the same cluster.
    """

    uuid: str
    name: str
    svm: str
    peer_svm: str
    peer_cluster: str
    state: str
    applications: tuple[str, ...]

    def serves(self, applications: Iterable[str]) -> bool:
        return self.state == PEERED and set(applications) <= set(self.applications)


def list_peers(client: Client) -> list[Peer]:
    found = client.records("ClusterPeer", asked="list the peers of the cluster", fields=_PEER_FIELDS)
    return [_peer(record) for record in found]


@repeatable
def ensure(client: Client, other: Client) -> tuple[Peer, Peer] | None:
    """Return each cluster as the other knows it, peers from now on or since an earlier try; None for one and the same.

    An offer between the two that the other end does not know, such as an earlier try's, is made anew. Raises NameTaken
    when one end has agreed with a cluster of these addresses and the other has not, which only a person can explain.
    """
    here, there = _identity(client), _identity(other)
    if here["uuid"] == there["uuid"]:
        return None
    addresses, others = intercluster_addresses(client), intercluster_addresses(other)
    known, back = _at(client, others), _at(other, addresses)
    if known and back and known.authenticated and back.authenticated:
        return known, back
    _forget_offers((client, known, other), (other, back, client))
    passphrase = secrets.token_urlsafe(24)
    _offer(client, others, passphrase, other)
    _offer(other, addresses, passphrase, client)
    return _agreed(client, others, other), _agreed(other, addresses, client)


@repeatable
def delete(client: Client, *, name: str) -> bool:
    """Forget the other cluster, at this end only; False if it was not known. Raises InUse while SVMs have peers."""
    peer = next((peer for peer in list_peers(client) if peer.name == name), None)
    if peer is None:
        return False
    try:
        client.remove("ClusterPeer", {"uuid": peer.uuid}, asked=f"forget peer cluster {name!r}")
    except NotFound:
        return False
    return True


def intercluster_addresses(client: Client) -> list[str]:
    """Return the addresses at which other clusters reach this one. Raises NotFound when it has none."""
    asked = "list the intercluster addresses of the cluster"
    found = client.records("IpInterface", asked=asked, fields="ip.address,services", services="intercluster_core")
    addresses = sorted({(record.get("ip") or {}).get("address") or "" for record in found} - {""})
    if not addresses:
        raise NotFound(
            f"ONTAP at {client.address} has no intercluster address, or this account may not see one, so no other "
            "cluster can be its peer. Make an intercluster interface on each of its nodes."
        )
    return addresses


def list_svm_peers(client: Client, *, svm: str | None = None) -> list[SvmPeer]:
    query = {"svm.name": svm} if svm else {}
    found = client.records("SvmPeer", asked="list the peers of SVMs", fields=_SVM_PEER_FIELDS, **query)
    return [_svm_peer(record) for record in found]


def find_svm_peer(client: Client, *, svm: str, peer_svm: str, peer_cluster: str | None = None) -> SvmPeer | None:
    """Return the SVM's peer of this name, whatever the SVM calls it.

    :param peer_cluster: name; not given, any will do.
    """
    found = [peer for peer in list_svm_peers(client, svm=svm) if peer.peer_svm == peer_svm]
    return next((peer for peer in found if peer_cluster in (None, peer.peer_cluster)), None)


@repeatable
def ensure_svm_peer(
    client: Client, other: Client, *, svm: str, peer_svm: str, applications: Iterable[str] = APPLICATIONS
) -> SvmPeer:
    """Return the SVM's peer on the other cluster, made and accepted now or by an earlier try, for all of these uses.

    The clusters are made peers too where the SVMs are none yet.
    """
    applications = tuple(applications)
    peer = find_svm_peer(client, svm=svm, peer_svm=peer_svm)
    if peer is not None and peer.serves(applications):
        return peer
    clusters = ensure(client, other)
    peer_cluster = clusters[0].name if clusters else None
    if peer is None:
        peer = _propose(client, svm, peer_svm, peer_cluster, applications)
    if peer.state != PEERED:
        _accept(other, svm, peer_svm)
    if missing := set(applications) - set(peer.applications):
        asked = f"let the peers {svm!r} and {peer_svm!r} be used for {', '.join(sorted(missing))}"
        body = {"applications": sorted({*peer.applications, *applications})}
        client.modify("SvmPeer", {"uuid": peer.uuid}, body, asked=asked)
    return _serving(client, svm, peer_svm, applications)


@repeatable
def delete_svm_peer(client: Client, *, svm: str, peer_svm: str) -> bool:
    """End it at both ends; False if there was none. Raises InUse while a mirror or cache needs it."""
    peer = find_svm_peer(client, svm=svm, peer_svm=peer_svm)
    if peer is None:
        return False
    try:
        client.remove("SvmPeer", {"uuid": peer.uuid}, asked=f"end the peering of SVMs {svm!r} and {peer_svm!r}")
    except NotFound:
        return False
    return True


def _identity(client: Client) -> dict[str, Any]:
    asked = "read the cluster's name, to make it a peer, which takes an administrator of the cluster"
    return client.record("Cluster", {}, asked=asked, fields="name,uuid")


def _at(client: Client, addresses: list[str]) -> Peer | None:
    return next((peer for peer in list_peers(client) if set(peer.addresses) & set(addresses)), None)


def _forget_offers(*ends: tuple[Client, Peer | None, Client]) -> None:
    """Both are looked at before one is withdrawn."""
    for at, peer, to in ends:
        if peer is None or not peer.authenticated:
            continue
        raise NameTaken(
            f"ONTAP at {at.address} has cluster {peer.name!r} as its peer, and ONTAP at {to.address} does not know of "
            "it. Delete the peer where it is left over, or restore it at the other end, then run this again."
        )
    for at, peer, _ in ends:
        if peer is not None:
            at.remove("ClusterPeer", {"uuid": peer.uuid}, asked=f"withdraw the offer to cluster {peer.name!r}")


def _offer(client: Client, addresses: list[str], passphrase: str, other: Client) -> None:
    body = {
        "remote": {"ip_addresses": addresses},
        "authentication": {"passphrase": passphrase},
        "encryption": {"proposed": "tls_psk"},
    }
    client.create("ClusterPeer", body, asked=f"make ONTAP at {other.address} a peer of ONTAP at {client.address}")


def _agreed(client: Client, addresses: list[str], other: Client) -> Peer:
    """The two find each other in the background once both have been told."""
    for _ in looks(_KNOWN_S, longest_s=_LONGEST_PAUSE_S):
        if (peer := _at(client, addresses)) is not None and peer.authenticated:
            return peer
    raise JobStillRunning(
        f"ONTAP at {client.address} and ONTAP at {other.address} have been told of each other and have not agreed "
        f"within {_KNOWN_S:.0f} s. Check that {', '.join(addresses)} can be reached from there; then try again."
    )


def _propose(
    client: Client, svm: str, peer_svm: str, peer_cluster: str | None, applications: tuple[str, ...]
) -> SvmPeer:
    if peer_cluster is None and svm == peer_svm:
        raise InvalidRequest(f"SVM {svm!r} cannot be its own peer: name an SVM of another site.")
    peer: dict[str, Any] = {"svm": {"name": peer_svm}}
    body: dict[str, Any] = {"svm": {"name": svm}, "peer": peer, "applications": list(applications)}
    if peer_cluster:
        peer["cluster"] = {"name": peer_cluster}
        # Within a cluster no SVM and no peer may have the name of another.
        body |= {"name": f"{peer_svm}_{peer_cluster}"} if _is_ours(client, peer_svm) else {}
    client.create("SvmPeer", body, asked=f"make SVM {peer_svm!r} of cluster {peer_cluster!r} a peer of SVM {svm!r}")
    return _serving(client, svm, peer_svm, applications, states=("initiated", "pending", PEERED))


def _is_ours(client: Client, svm: str) -> bool:
    return bool(client.records("Svm", asked=f"look up SVM {svm!r}", fields="name", name=svm))


def _accept(client: Client, svm: str, peer_svm: str) -> None:
    """At the other end, where the SVM that was asked is the one here."""
    asked = find_svm_peer(client, svm=peer_svm, peer_svm=svm)
    if asked is not None and asked.state != PEERED:
        what = f"accept SVM {svm!r} as a peer of SVM {peer_svm!r}"
        client.modify("SvmPeer", {"uuid": asked.uuid}, {"state": PEERED}, asked=what)


def _serving(
    client: Client, svm: str, peer_svm: str, applications: tuple[str, ...], states: tuple[str, ...] = (PEERED,)
) -> SvmPeer:
    """Return the peer once it is in one of these states: each end learns of it in the background."""
    found = "is not there"
    for _ in looks(_KNOWN_S, longest_s=_LONGEST_PAUSE_S):
        peer = find_svm_peer(client, svm=svm, peer_svm=peer_svm)
        if peer is not None and peer.state in states and set(applications) <= set(peer.applications):
            return peer
        found = f"is {peer.state}, for {', '.join(peer.applications)}" if peer else "is not there"
    raise JobStillRunning(
        f"The peering of SVM {svm!r} with SVM {peer_svm!r} was asked for on ONTAP at {client.address} and {found} "
        f"after {_KNOWN_S:.0f} s. Try again; if it stays, look at it on both clusters."
    )


def _peer(record: dict[str, Any]) -> Peer:
    remote = record.get("remote") or {}
    return Peer(
        uuid=record["uuid"],
        name=record.get("name") or remote.get("name") or "",
        addresses=tuple(remote.get("ip_addresses") or ()),
        authenticated=(record.get("authentication") or {}).get("state") == "ok",
        available=(record.get("status") or {}).get("state") == "available",
    )


def _svm_peer(record: dict[str, Any]) -> SvmPeer:
    peer = record.get("peer") or {}
    return SvmPeer(
        uuid=record["uuid"],
        name=record.get("name", ""),
        svm=(record.get("svm") or {}).get("name", ""),
        peer_svm=(peer.get("svm") or {}).get("name", ""),
        peer_cluster=(peer.get("cluster") or {}).get("name", ""),
        state=record.get("state", ""),
        applications=tuple(record.get("applications") or ()),
    )
