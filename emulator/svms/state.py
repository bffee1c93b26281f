"""Storage VMs: what owns volumes, users and a namespace."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from emulator.body import Accepts, text
from emulator.errors import BadValue
from emulator.fields import Shape, Wanted
from emulator.jobs import operation
from emulator.namespace import Blocked
from emulator.rest import Call
from emulator.store import Record
from emulator.svms import parts
from emulator.svms.errors import (
    NoSuchSvm,
    SvmExists,
    SvmMismatch,
    SvmMissing,
    SvmNameInvalid,
    SvmNameLength,
    SvmNotEmpty,
    SvmNotShown,
)

if TYPE_CHECKING:
    from emulator.world import World

KIND = "svm"
MAXIMUM_NAME = 47

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


def render(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    shown = {key: record[key] for key in ("uuid", "name", "state", "comment")}
    lifs = world.store.find("ip_interface", svm__name=record["name"]) if wanted.has("ip_interfaces") else []
    services = world.store.find("s3_service", svm__uuid=record["uuid"]) if wanted.has("s3") else []
    return shown | {
        "subtype": "default",
        "language": "c.utf_8",
        "ipspace": {"name": "Default"},
        "aggregates": record["aggregates"],
        "nfs": {"allowed": True, "enabled": True},
        "s3": {"enabled": bool(services and services[0].get("enabled", True))},
        "ip_interfaces": [
            {"name": lif["name"], "uuid": lif["uuid"], "ip": {"address": lif["ip"]["address"]}} for lif in lifs
        ],
    }


SVM = Shape(
    href="/svm/svms/{uuid}",
    keys=("uuid", "name"),
    common=("state", "comment", "subtype", "language", "ipspace.name", "aggregates.name", "aggregates.uuid")
    + ("nfs.allowed", "nfs.enabled", "s3.enabled")
    + ("ip_interfaces.name", "ip_interfaces.uuid", "ip_interfaces.ip.address"),
    costly=(),
    render=render,
)
POST_FIELDS: Accepts = {"name": text, "comment": text, "aggregates.name": text, "aggregates.uuid": text}
PATCH_FIELDS: Accepts = {"comment": text, "aggregates.name": text, "aggregates.uuid": text}


def ref(record: Record) -> dict[str, str]:
    """How another record names its SVM."""
    return {"name": record["name"], "uuid": record["uuid"]}


def resolve(call: Call, svm: dict[str, Any] | None) -> Record:
    """The SVM that a body names by ``name``, ``uuid`` or both; an SVM-scoped user need not name its own.

    2621707 when none is named, 2621462 when it does not exist or is not the user's, 2621706 when both disagree.
    """
    name, uuid = (svm or {}).get("name"), (svm or {}).get("uuid")
    if not name and not uuid:
        name = call.user.svm
    if not name and not uuid:
        raise SvmMissing()
    found = [r for r in call.world.store.find(KIND) if r["name"] == name or r["uuid"] == uuid]
    if len(found) > 1:
        raise SvmMismatch(str(name), str(uuid))
    if not found or call.user.svm not in (None, found[0]["name"]):
        raise NoSuchSvm(name or str(uuid))
    if name and uuid and (found[0]["name"], found[0]["uuid"]) != (name, uuid):
        raise SvmMismatch(name, uuid)
    return found[0]


def visible(call: Call, records: list[Record]) -> list[Record]:
    """Records that carry ``svm.name``, cut to what the user may see."""
    return [r for r in records if call.user.svm in (None, r["svm"]["name"])]


def new(world: World, name: str, *, uuid: str | None = None, comment: str = "") -> Record:
    """A record for an SVM that may use all aggregates; not stored yet."""
    aggregates = [{"name": a["name"], "uuid": a["uuid"]} for a in world.store.find("aggregate")]
    return {
        "uuid": uuid or str(uuid4()),
        "name": name,
        "state": "running",
        "comment": comment,
        "aggregates": aggregates,
    }


def check_new(world: World, name: str) -> None:
    check_name(name)
    if world.store.find(KIND, name=name):
        raise SvmExists(name)


def check_name(name: str) -> None:
    """What every SVM's name must keep to; it names a directory too."""
    if not isinstance(name, str):
        raise BadValue(name, "name", "string")
    if len(name) > MAXIMUM_NAME:
        raise SvmNameLength(name)
    if not _NAME.fullmatch(name):
        raise SvmNameInvalid(name)


def check_empty(world: World, record: Record) -> None:
    for volume in world.store.find("volume", svm__uuid=record["uuid"]):
        if volume["junction"] != "/":
            raise SvmNotEmpty(record["name"], f'the volume "{volume["name"]}"')


def add(world: World, record: Record) -> None:
    """Store a new SVM with what every SVM has to begin with."""
    # The directory first: after a kill, one that belongs to no SVM is empty and does no harm.
    try:
        world.dataplane.namespace.make(record["name"])
    except Blocked as reason:
        raise SvmNotShown(record["name"], str(reason)) from reason
    with world.store.transaction():
        world.store.insert(KIND, record)
        for part in parts.FIRST:
            part(world, record)


@operation("svm.create")
def create(world: World, args: dict[str, Any]) -> None:
    if world.store.get(KIND, args["uuid"]):
        return
    check_new(world, args["name"])
    record = new(world, args["name"], uuid=args["uuid"], comment=args.get("comment") or "")
    if args.get("aggregates"):
        names = {a.get("name") for a in args["aggregates"]} | {a.get("uuid") for a in args["aggregates"]}
        record["aggregates"] = [a for a in record["aggregates"] if a["name"] in names or a["uuid"] in names]
    add(world, record)


@operation("svm.delete")
def delete(world: World, args: dict[str, Any]) -> None:
    record = world.store.get(KIND, args["uuid"])
    if record is None:
        return
    check_empty(world, record)
    for part in parts.LAST:
        part(world, record)
    with world.store.transaction():
        for kind in parts.KINDS:
            for owned in world.store.find(kind, svm__uuid=record["uuid"]):
                world.store.delete(kind, owned["uuid"])
        world.store.delete(KIND, record["uuid"])
    world.dataplane.namespace.forget(record["name"])
