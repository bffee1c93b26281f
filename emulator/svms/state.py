"""Storage VMs: what owns volumes, users and a namespace."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from emulator.body import Accepts, flag, size, text
from emulator.errors import BadValue, NotFound, OntapError
from emulator.fields import Shape, Wanted
from emulator.jobs import operation
from emulator.namespace import Blocked
from emulator.reading import Records
from emulator.rest import Call
from emulator.snapshot_policies import state as snapshot_policies
from emulator.store import Record
from emulator.svms import parts
from emulator.svms.errors import (
    NoSuchAggregate,
    NoSuchSvm,
    SvmExists,
    SvmMismatch,
    SvmMissing,
    SvmNameInvalid,
    SvmNameLength,
    SvmNotEmpty,
    SvmNotShown,
)
from emulator.values import between, language, objects_or_names, one_of, short_comment

if TYPE_CHECKING:
    from emulator.world import World

KIND = "svm"
MAXIMUM_NAME = 47
LANGUAGE = "c.utf_8"
SNAPSHOT_POLICY = "default"

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


PROTOCOLS = ("nfs", "cifs", "fcp", "iscsi", "nvme", "ndmp", "s3")
_FLAGS = {
    "auto_enable_analytics": False,
    "auto_enable_activity_tracking": False,
    "is_space_reporting_logical": False,
    "is_space_enforcement_logical": False,
}
_STORAGE = {"limit": 0, "limit_threshold_alert": 90}


def volumes_limit(value: Any) -> str | int:
    return value if value == "unlimited" else between(1, 2**31)(value)


def default_ipspace(value: Any) -> str:
    """The one there is."""
    return one_of("Default")(value)


def render(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    """What a state of an older emulator has not, is shown as ONTAP has it by itself."""
    lifs = world.store.find("ip_interface", svm__name=record["name"]) if wanted.has("ip_interfaces") else []
    services = world.store.find("s3_service", svm__uuid=record["uuid"]) if wanted.has("s3") else []
    allowed = dict.fromkeys(PROTOCOLS, True) | (record.get("allowed") or {})
    shown: dict[str, Any] = {key: record[key] for key in ("uuid", "name", "state", "comment", "aggregates")}
    shown |= {name: {"allowed": allowed[name], "enabled": False} for name in PROTOCOLS}
    shown["nfs"]["enabled"] = True
    shown["s3"]["enabled"] = bool(services and services[0].get("enabled", True))
    del shown["ndmp"]["enabled"]
    return shown | {
        "subtype": "default",
        "language": record.get("language", LANGUAGE),
        "ipspace": {"name": "Default"},
        "snapshot_policy": _snapshot_policy(world, record) if wanted.has("snapshot_policy") else {},
        "max_volumes": str(record.get("max_volumes", "unlimited")),
        "storage": _STORAGE | (record.get("storage") or {}),
        "ip_interfaces": [
            {"name": lif["name"], "uuid": lif["uuid"], "ip": {"address": lif["ip"]["address"]}} for lif in lifs
        ],
        **{name: record.get(name, value) for name, value in _FLAGS.items()},
    }


def _snapshot_policy(world: World, record: Record) -> dict[str, str]:
    """Without its uuid when the policy is gone."""
    name = record.get("snapshot_policy", SNAPSHOT_POLICY)
    try:
        policy = snapshot_policies.usable(world, ref(record), {"name": name})
    except OntapError:
        return {"name": name}
    return {"name": policy["name"], "uuid": policy["uuid"]}


SVM = Shape(
    href="/svm/svms/{uuid}",
    keys=("uuid", "name"),
    common=("state", "comment", "subtype", "language", "ipspace.name", "aggregates.name", "aggregates.uuid")
    + ("snapshot_policy.name", "snapshot_policy.uuid", "max_volumes", *_FLAGS)
    + tuple(
        f"{name}.{field}"
        for name in PROTOCOLS
        for field in ("allowed", "enabled")
        if (name, field) != ("ndmp", "enabled")
    )
    + ("ip_interfaces.name", "ip_interfaces.uuid", "ip_interfaces.ip.address"),
    costly=tuple(f"storage.{name}" for name in _STORAGE),
    render=render,
)
PATCH_FIELDS: Accepts = {
    "name": text,
    "comment": short_comment,
    "state": one_of("running", "stopped"),
    "language": language,
    "snapshot_policy.name": text,
    "snapshot_policy.uuid": text,
    "max_volumes": volumes_limit,
    "aggregates": objects_or_names,
    "storage.limit": size,
    "storage.limit_threshold_alert": between(0, 100),
    **dict.fromkeys(_FLAGS, flag),
    **{f"{name}.allowed": flag for name in PROTOCOLS},
}
POST_FIELDS: Accepts = {key: value for key, value in PATCH_FIELDS.items() if key != "state"} | {
    "subtype": one_of("default"),
    "ipspace.name": default_ipspace,
}


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


def seen(call: Call, kind: str) -> Records:
    """Records of a kind that carry ``svm.name``, cut to what the user may see, and read only as far as needed."""
    found = Records(call.world.store, kind)
    return found if call.user.svm is None else found.where(lambda record: record["svm"]["name"] == call.user.svm)


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


def changes_of(world: World, svm: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
    """The fields of a request, the name apart, as they lie in the record. 404 for what it names and is not there."""
    plain = ("comment", "state", "language", "max_volumes", *_FLAGS)
    changes = {key: body[key] for key in plain if body.get(key) is not None}
    if wish := {key: value for key, value in (body.get("snapshot_policy") or {}).items() if value}:
        changes["snapshot_policy"] = snapshot_policies.usable(world, svm, wish)["name"]
    if body.get("aggregates") is not None:
        changes["aggregates"] = [_aggregate(world, named) for named in body["aggregates"]]
    if allowed := {
        name: body[name]["allowed"] for name in PROTOCOLS if (body.get(name) or {}).get("allowed") is not None
    }:
        changes["allowed"] = allowed
    if storage := {key: value for key, value in (body.get("storage") or {}).items() if value is not None}:
        changes["storage"] = storage
    return changes


def _aggregate(world: World, named: dict[str, str]) -> dict[str, str]:
    for known in world.store.find("aggregate"):
        if all(known[key] == value for key, value in named.items()):
            return {"name": known["name"], "uuid": known["uuid"]}
    raise NoSuchAggregate(named.get("name") or named.get("uuid") or "")


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
    record = new(world, args["name"], uuid=args["uuid"])
    add(world, record | changes_of(world, ref(record), args))


@operation("svm.modify")
def modify(world: World, args: dict[str, Any]) -> None:
    """``was`` is the name at the time of the request: done again after a kill, the record may have the new one."""
    record = world.store.get(KIND, args["uuid"])
    if record is None:
        raise NotFound()
    changes = changes_of(world, ref(record), args["body"])
    for key in ("allowed", "storage"):
        if key in changes:
            changes[key] = (record.get(key) or {}) | changes[key]
    name = args["body"].get("name") or args["was"]
    if name != args["was"]:
        if name != record["name"]:
            check_new(world, name)
        world.dataplane.namespace.rename(args["was"], name)
    with world.store.transaction():
        world.store.update(KIND, record["uuid"], **changes, name=name)
        if name != record["name"]:
            _rename_in_others(world, record, name)


def _rename_in_others(world: World, svm: Record, name: str) -> None:
    """Everything of an SVM carries its name, so that it is shown without a second look."""
    for kind in (*parts.KINDS, "volume", "snapshot", "job"):
        for owned in world.store.find(kind):
            if owned.get("svm") and owned["svm"]["uuid"] == svm["uuid"]:
                world.store.update(kind, owned["uuid"], svm={"name": name, "uuid": svm["uuid"]})


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
