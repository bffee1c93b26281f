"""SnapMirror relationships, as the cluster of the destination has them, and as the source's knows of them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from emulator.body import Accepts, flag, size, text
from emulator.clock import iso_duration
from emulator.fields import Shape, Wanted
from emulator.schedules import state as schedules
from emulator.snapmirror import errors, rules
from emulator.snapmirror_policies import state as policies
from emulator.snapmirror_transfers import state as transfers
from emulator.store import Record
from emulator.svm_peers import state as svm_peers
from emulator.svms import parts
from emulator.values import between, one_of

if TYPE_CHECKING:
    from emulator.world import World

KIND = parts.belongs(rules.KIND)
SOURCE = parts.belongs(rules.SOURCE)
DEFAULT_POLICY = "Asynchronous"

_SCHEDULE: Accepts = {"transfer_schedule.name": text, "transfer_schedule.uuid": text}
_POLICY: Accepts = {"policy.name": text, "policy.uuid": text}
PATCH_FIELDS: Accepts = (
    {
        "state": one_of("snapmirrored", "in_sync", "broken_off", "paused"),
        "throttle": between(0, 125_000_000),
        "quick_resync": flag,
        "preserve": flag,
        "restore_to_snapshot": text,
    }
    | _SCHEDULE
    | _POLICY
)
POST_FIELDS: Accepts = (
    {
        "source.path": text,
        "source.cluster.name": text,
        "source.cluster.uuid": text,
        "source.svm.name": text,
        "source.svm.uuid": text,
        "destination.path": text,
        "destination.svm.name": text,
        "destination.svm.uuid": text,
        "state": one_of("snapmirrored", "in_sync"),
        "throttle": between(0, 125_000_000),
        "create_destination.enabled": flag,
        "create_destination.size": size,
        "create_destination.tiering.supported": flag,
        "create_destination.tiering.policy": one_of("none", "snapshot_only", "auto", "backup", "all"),
    }
    | _SCHEDULE
    | _POLICY
)
DELETE_ARGUMENTS = frozenset({"destination_only", "source_only", "source_info_only", "failover", "delete_uuid_only"})


def render(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    if "to" in record:
        return _as_source(world, record)
    policy = world.store.get(policies.KIND, record["policy"]) or {}
    peering = world.store.get(svm_peers.KIND, record["peering"]) if record["peering"] else None
    shown = {key: record[key] for key in ("uuid", "state", "healthy", "unhealthy_reason", "throttle")}
    shown |= {
        "source": _source(world, record, peering),
        "destination": {"path": record["destination"], "svm": record["svm"]},
        "policy": {key: policy.get(key) for key in ("name", "uuid", "type")},
        "transfer_schedule": schedules.named(world, record["schedule"]),
        "restore": False,
        "group_type": "none",
        "last_transfer_type": record["last_transfer_type"],
        "total_transfer_bytes": record["total_bytes"],
        "total_transfer_duration": iso_duration(record["total_s"]),
    }
    if exported := world.store.get("snapshot", record["exported"] or ""):
        shown["exported_snapshot"] = exported["name"]
        made = datetime.fromisoformat(exported["create_time"])
        shown["lag_time"] = iso_duration((world.clock.now() - made).total_seconds())
    if wanted.has("transfer"):
        shown["transfer"] = _transfer(world, record)
    return shown


def _source(world: World, record: Record, peering: Record | None) -> dict[str, Any]:
    shown: dict[str, Any] = {"path": record["source"]}
    name = record["source"].partition(":")[0]
    shown["svm"] = {"name": name, "uuid": peering["peer_svm"]["uuid"] if peering else record["svm"]["uuid"]}
    cluster = svm_peers.cluster_of(world, peering) if peering else None
    if cluster:
        shown["cluster"] = {"name": cluster["name"], "uuid": cluster["remote_uuid"]}
    return shown


def _transfer(world: World, record: Record) -> dict[str, Any] | None:
    """The transfer under way, or the last one."""
    known = transfers.of(world, record["uuid"])
    if not known:
        return None
    last = next((each for each in known if each["state"] in transfers.OPEN), known[-1])
    return {
        "uuid": last["uuid"],
        "state": last["state"],
        "bytes_transferred": last["bytes"],
        "total_duration": iso_duration(transfers.duration_s(last)),
        "end_time": last["end_time"],
        "last_updated_time": last["updated"],
        "type": last["kind"],
    }


def _as_source(world: World, record: Record) -> dict[str, Any]:
    """What ``list_destinations_only=true`` tells: this cluster has the source."""
    return {
        "uuid": record["uuid"],
        "source": {"path": record["source"], "svm": record["svm"]},
        "destination": {"path": record["destination"], "svm": {"name": record["destination"].partition(":")[0]}},
        "policy": {"type": record["policy_type"]},
        "group_type": "none",
    }


_TRANSFER = ("uuid", "state", "bytes_transferred", "total_duration", "end_time", "last_updated_time", "type")
RELATIONSHIP = Shape(
    href="/snapmirror/relationships/{uuid}",
    keys=("uuid",),
    common=("source.path", "source.svm.name", "source.svm.uuid", "source.cluster.name", "source.cluster.uuid")
    + ("destination.path", "destination.svm.name", "destination.svm.uuid")
    + ("policy.name", "policy.uuid", "policy.type", "state", "healthy", "unhealthy_reason.message")
    + ("unhealthy_reason.code", "unhealthy_reason.arguments", "lag_time", "exported_snapshot", "restore", "throttle")
    + ("transfer_schedule.name", "transfer_schedule.uuid", "group_type")
    + tuple(f"transfer.{name}" for name in _TRANSFER),
    costly=("last_transfer_type", "total_transfer_bytes", "total_transfer_duration"),
    render=render,
)


def new(svm: dict[str, str], source: str, destination: str, **facts: Any) -> Record:
    """A record; not stored yet. ``peering`` is the uuid of the SVM peer relationship, None within one SVM."""
    record = {
        "uuid": str(uuid4()),
        "svm": svm,
        "source": source,
        "source_volume": None,
        "source_svm": None,
        "destination": destination,
        "destination_volume": None,
        "peering": None,
        "policy": None,
        "schedule": None,
        "throttle": 0,
        "state": "uninitialized",
        "healthy": True,
        "unhealthy_reason": None,
        "exported": None,
        "last_transfer": None,
        "last_transfer_type": None,
        "total_bytes": 0,
        "total_s": 0.0,
        "looked_at": None,
    }
    return record | facts


def parted(path: Any, field: str) -> tuple[str, str]:
    """SVM and volume of a path. 13303852 for anything else."""
    svm, colon, volume = str(path or "").partition(":")
    if not (svm and colon and volume) or "/" in volume or ":" in volume:
        raise errors.BadPath(path, field)
    return svm, volume


def at(world: World, destination: str) -> Record | None:
    return next(iter(world.store.find(KIND, destination=destination)), None)
