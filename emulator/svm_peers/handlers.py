from __future__ import annotations

from typing import Any
from uuid import uuid4

from emulator.cluster_peers import state as cluster_peers
from emulator.errors import BadValue, NotFound, OntapError
from emulator.rest import Call, Reply, created, many, one
from emulator.store import Record
from emulator.svm_peers import errors, state
from emulator.svms.state import ref, resolve, visible

_FROM = {"peered": ("pending", "suspended", "peered"), "rejected": ("pending",), "suspended": ("peered", "suspended")}
"""What a relationship must be for a wished state."""
APPLICATIONS = ["snapmirror"]


def list_peers(call: Call) -> Reply:
    return many(call, state.PEER, visible(call, call.world.store.find(state.KIND)))


def get_peer(call: Call) -> Reply:
    return one(call, state.PEER, _peer(call))


def _peer(call: Call) -> Record:
    record = call.world.store.get(state.KIND, call.params["uuid"])
    if record is None or not visible(call, [record]):
        raise NotFound()
    return record


def create(call: Call) -> Reply:
    """The other side first: where it refuses, nothing is kept here."""
    world, body = call.world, call.body
    svm, wish = ref(resolve(call, body.get("svm"))), body.get("peer") or {}
    asked = (wish.get("svm") or {}).get("name")
    if not asked:
        raise errors.PeerSvmMissing()
    cluster = _cluster(call, wish.get("cluster") or {})
    if cluster is None and asked == svm["name"]:
        raise errors.SameSvm(asked)
    applications = body.get("applications") or APPLICATIONS
    record = state.new(svm, {"name": asked, "uuid": ""}, cluster=cluster and cluster["uuid"], name=body.get("name"))
    record |= {"pair": str(uuid4()), "applications": applications, "state": "initiated"}
    _check_name(call, record)
    told = state.tell(world, record, "propose", svm=asked, applications=applications, **{"from": svm})
    record |= {"peer_svm": told["svm"], "state": "peered" if told["state"] == "peered" else "initiated"}
    try:
        with world.store.transaction():
            state.check_new(world, svm, told["svm"], record["name"], record["cluster"])
            record = world.store.insert(state.KIND, record)
    except OntapError:
        state.tell(world, record, "drop")
        raise
    return created(call, state.PEER, record)


def _check_name(call: Call, record: Record) -> None:
    for known in call.world.store.find(state.KIND, svm__uuid=record["svm"]["uuid"]):
        if known["cluster"] == record["cluster"] and known["peer_svm"]["name"] == record["peer_svm"]["name"]:
            raise errors.AlreadyPeered(record["svm"]["name"], known["name"])
        if known["name"] == record["name"]:
            raise errors.NameTaken(record["name"])
    if record["cluster"] and call.world.store.find("svm", name=record["name"]):
        raise errors.NameTaken(record["name"])


def _cluster(call: Call, wish: dict[str, Any]) -> Record | None:
    """The peered cluster that is named; None for this one, which is meant where none is."""
    own = call.world.store.find("cluster")[0]
    if not wish.get("name") and not wish.get("uuid"):
        return None
    if wish.get("name") in (None, own["name"]) and wish.get("uuid") in (None, own["uuid"]):
        return None
    return cluster_peers.named(call.world, wish)


def modify(call: Call) -> Reply:
    world, record = call.world, _peer(call)
    changes: dict[str, Any] = {}
    if applications := call.body.get("applications"):
        changes["applications"] = applications
    if wanted := call.body.get("state"):
        if record["state"] not in _FROM[wanted]:
            raise errors.WrongState(record["state"], wanted)
        changes["state"] = wanted
    if changes:
        state.tell(world, record, "change", changes=changes)
    if name := call.body.get("name"):
        if not name.isprintable():
            raise BadValue(name, "name")
        changes["name"] = name
    world.store.update(state.KIND, record["uuid"], **changes)
    return Reply(200, {})


def delete(call: Call) -> Reply:
    """Both sides; with ``force`` also where the other cannot be reached."""
    world, record = call.world, _peer(call)
    if users := state.users_of(world, record):
        raise errors.InUseByMirrors(record["svm"]["name"], record["name"], users)
    try:
        state.tell(world, record, "drop")
    except OntapError:
        if not call.flag("force"):
            raise
    world.store.delete(state.KIND, record["uuid"])
    return Reply(200, {})
