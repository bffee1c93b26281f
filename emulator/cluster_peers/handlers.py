from __future__ import annotations

import secrets
from typing import Any

from emulator.cluster_peers import errors, state
from emulator.errors import BadValue, NotAllowed, NotFound
from emulator.intercluster import handshake, signing
from emulator.rest import Call, Reply, many, one


def list_peers(call: Call) -> Reply:
    return many(call, state.PEER, call.world.store.find(state.KIND))


def get_peer(call: Call) -> Reply:
    return one(call, state.PEER, call.world.store.get(state.KIND, call.params["uuid"]))


def create(call: Call) -> Reply:
    """The answer has the passphrase where one was made up; it is never shown again."""
    world, body = call.world, call.body
    _cluster_user(call)
    passphrase, made_up = _passphrase(body)
    state.check_new(world, body)
    try:
        record = state.new(world, body, passphrase)
    except ValueError as error:
        raise BadValue(body["authentication"]["expiry_time"], "authentication.expiry_time") from error
    world.store.insert(state.KIND, record)
    try:
        record = state.greet(world, record)
    except handshake.PassphraseMismatch:
        world.store.delete(state.KIND, record["uuid"])
        raise
    shown = state.PEER.show(world, record, state.PEER.wanted(None, instance=True))
    shown["authentication"]["expiry_time"] = record["expiry_time"]
    if made_up:
        shown["authentication"]["passphrase"] = passphrase
    reply = {"num_records": 1, "records": [shown]}
    return Reply(201, reply, {"Location": f"/api/cluster/peers/{record['uuid']}"})


def _cluster_user(call: Call) -> None:
    if call.user.svm is not None:
        raise NotAllowed()


def _passphrase(body: dict[str, Any]) -> tuple[str, bool]:
    """The passphrase, and whether it was made up."""
    said = body.get("authentication") or {}
    own, generate = said.get("passphrase"), said.get("generate_passphrase")
    if own and generate:
        raise errors.AddressesOrPassphrase()
    if not own:
        return secrets.token_urlsafe(18), True
    if len(own) < state.PASSPHRASE_MIN:
        raise errors.PassphraseTooShort(state.PASSPHRASE_MIN)
    if not (body.get("remote") or {}).get("ip_addresses"):
        raise errors.AddressesMissing()
    return own, False


def modify(call: Call) -> Reply:
    """A new passphrase begins anew; the other end must be given it too."""
    world, body = call.world, call.body
    record = _peer(call)
    changes: dict[str, Any] = {}
    if (name := body.get("name")) and name != record["name"]:
        state.check_new(world, {"name": name})
        changes["name"] = name
    if ips := (body.get("remote") or {}).get("ip_addresses"):
        changes["ip_addresses"] = ips
    if proposed := (body.get("encryption") or {}).get("proposed"):
        changes["encryption"] = proposed
    if body.get("initial_allowed_svms") is not None:
        changes["allowed_svms"] = [svm.get("name") or "*" for svm in body["initial_allowed_svms"]]
    said = body.get("authentication") or {}
    at = {"ip_addresses": changes.get("ip_addresses") or record["ip_addresses"]}
    passphrase, made_up = _passphrase({"remote": at, "authentication": said}) if said else ("", False)
    if passphrase:
        changes |= {"key": signing.key_of(passphrase), "expiry_time": state.expiry(world, said.get("expiry_time"))}
        changes |= {"available": False, "secret": None, "remote_uuid": None}
    record = world.store.update(state.KIND, record["uuid"], **changes)
    if passphrase:
        state.greet(world, record)
    shown = {"uuid": record["uuid"], "authentication": {"passphrase": passphrase}}
    return Reply(200, {"num_records": 1, "records": [shown]} if made_up else {})


def _peer(call: Call) -> dict[str, Any]:
    _cluster_user(call)
    record = call.world.store.get(state.KIND, call.params["uuid"])
    if record is None:
        raise NotFound()
    return record


def delete(call: Call) -> Reply:
    """This end only; the other cluster keeps its own, which is unavailable from now on."""
    record = _peer(call)
    if svms := state.svm_peers_of(call.world, record):
        raise errors.HasSvmPeers(record["name"] or record["uuid"], svms)
    call.world.store.delete(state.KIND, record["uuid"])
    return Reply(200, {})
