"""Cluster peers: which other clusters this one knows, and whether they answer."""

from __future__ import annotations

import ipaddress
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from emulator.body import Accepts, flag, text, texts
from emulator.cluster_peers import errors
from emulator.fields import Shape, Wanted
from emulator.intercluster import handshake, signing
from emulator.intercluster.peers import PeerUnreachable
from emulator.store import Record
from emulator.values import objects_or_names, one_of

if TYPE_CHECKING:
    from emulator.world import World

KIND = handshake.KIND
PASSPHRASE_MIN = 8
_OFFER = timedelta(hours=1)
_DAYS = re.compile(r"P(\d{1,3})D|PT(\d{1,4})H", re.ASCII)
# Its last part begins with a letter: 127.0.0.300 is no name.
_HOST_NAME = re.compile(r"(?:[a-z0-9-]{1,63}\.)*[a-z][a-z0-9-]{0,62}", re.ASCII | re.IGNORECASE)
_APPLICATIONS = one_of("snapmirror", "flexcache")


def applications(value: Any) -> list[str]:
    return [_APPLICATIONS(item) for item in (value if isinstance(value, list) else [value])]


def addresses(value: Any) -> list[str]:
    """Of the peer: IP addresses, or host names, which ONTAP takes too."""
    found = texts(value)
    for each in found:
        if not _HOST_NAME.fullmatch(each):
            ipaddress.ip_address(each)
    return found


PATCH_FIELDS: Accepts = {
    "name": text,
    "remote.ip_addresses": addresses,
    "authentication.passphrase": text,
    "authentication.generate_passphrase": flag,
    "authentication.expiry_time": text,
    "authentication.in_use": one_of("ok", "absent"),
    "encryption.proposed": one_of("none", "tls_psk"),
    "initial_allowed_svms": objects_or_names,
}
POST_FIELDS: Accepts = PATCH_FIELDS | {
    "remote.name": text,
    "ipspace.name": text,
    "ipspace.uuid": text,
    "peer_applications": applications,
}


def render(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    known = record["remote_uuid"] is not None
    shown: dict[str, Any] = {
        "uuid": record["uuid"],
        "name": record["name"],
        "remote": {
            "name": record["remote"].get("name") or record["name"],
            "ip_addresses": record["ip_addresses"],
            "serial_number": record["remote"].get("serial_number"),
        },
        "authentication": {
            "state": "ok" if known else record["problem"] or "pending",
            "in_use": "ok" if known else "absent",
        },
        "encryption": {"proposed": record["encryption"], "state": record["encryption"]},
        "initial_allowed_svms": [{"name": name} for name in record["allowed_svms"]],
        "peer_applications": record["applications"],
        "ipspace": {"name": "Default"},
        "status": {"state": _status(record), "update_time": record["update_time"]},
    }
    if not known:
        shown["authentication"]["expiry_time"] = record["expiry_time"]
    if release := record["remote"].get("version"):
        generation, major, minor = (int(part) for part in release.split("."))
        shown["version"] = {
            "full": f"NetApp Release {release}",
            "generation": generation,
            "major": major,
            "minor": minor,
        }
    return shown


def _status(record: Record) -> str:
    if record["remote_uuid"] is None:
        return "pending" if not record["ip_addresses"] else "unidentified"
    return "available" if record["available"] else "unavailable"


PEER = Shape(
    href="/cluster/peers/{uuid}",
    keys=("uuid", "name"),
    common=(
        "remote.name",
        "remote.ip_addresses",
        "remote.serial_number",
        "authentication.state",
        "authentication.in_use",
    )
    + ("authentication.expiry_time", "encryption.proposed", "encryption.state", "initial_allowed_svms.name")
    + ("peer_applications", "ipspace.name", "status.state", "status.update_time")
    + ("version.full", "version.generation", "version.major", "version.minor"),
    costly=(),
    render=render,
)


def new(world: World, body: dict[str, Any], passphrase: str) -> Record:
    """A record; not stored yet."""
    return {
        "uuid": str(uuid4()),
        "name": body.get("name") or (body.get("remote") or {}).get("name"),
        "remote_uuid": None,
        "remote": {},
        "ip_addresses": (body.get("remote") or {}).get("ip_addresses") or [],
        "key": signing.key_of(passphrase),
        "secret": None,
        "problem": None,
        "available": False,
        "encryption": (body.get("encryption") or {}).get("proposed") or "tls_psk",
        "allowed_svms": [svm.get("name") or "*" for svm in body.get("initial_allowed_svms") or []],
        "applications": body.get("peer_applications") or ["snapmirror", "flexcache"],
        "expiry_time": expiry(world, (body.get("authentication") or {}).get("expiry_time")),
        "update_time": world.clock.iso(),
    }


def expiry(world: World, wish: str | None) -> str:
    """When an offer ends: a moment, or a number of hours or days. An hour where nothing is said."""
    now = world.clock.now()
    if not wish:
        return world.clock.iso(now + _OFFER)
    if match := _DAYS.fullmatch(wish):
        return world.clock.iso(now + timedelta(days=int(match[1] or 0), hours=int(match[2] or 0)))
    moment = datetime.fromisoformat(wish)
    return world.clock.iso(moment if moment.tzinfo else moment.replace(tzinfo=now.tzinfo))


def greet(world: World, record: Record) -> Record:
    """Look for the other end; where it has not been told yet, it will look for this one.

    `PassphraseMismatch` where it expects another passphrase.
    """
    for address in record["ip_addresses"]:
        try:
            other = world.peers.greet(address, record["key"])
        except (PeerUnreachable, handshake.NotExpected):
            continue
        return handshake.complete(world, record, other)
    return record


def check_new(world: World, body: dict[str, Any]) -> None:
    """4653056, 4653060 and 4653064 for what cannot be a peer."""
    own = handshake.facts(world)
    name = body.get("name")
    for address in (body.get("remote") or {}).get("ip_addresses") or []:
        if address == own["ip_address"]:
            raise errors.OwnAddress(address)
        for peer in world.store.find(KIND):
            if address in peer["ip_addresses"]:
                raise errors.AlreadyPeered(peer["name"] or address)
    if name and (name == own["name"] or world.store.find(KIND, name=name)):
        raise errors.NameTaken(name)


def named(world: World, wish: dict[str, Any]) -> Record:
    """The peered cluster that is meant by ``name`` or ``uuid``; the only one where nothing is said. 4653077 if none."""
    name, uuid = wish.get("name"), wish.get("uuid")
    known = [peer for peer in world.store.find(KIND) if peer["remote_uuid"]]
    for peer in known:
        if name in (None, peer["name"]) and uuid in (None, peer["uuid"], peer["remote_uuid"]) and (name or uuid):
            return peer
    if not name and not uuid and len(known) == 1:
        return known[0]
    raise errors.NoSuchPeer(str(name or uuid or ""))


def svm_peers_of(world: World, record: Record) -> list[str]:
    return [peer["svm"]["name"] for peer in world.store.find("svm_peer", cluster=record["uuid"])]
