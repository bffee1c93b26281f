"""Pools, volumes, snapshots and replications: found by name, followed to their state, told in plain values."""

from __future__ import annotations

from typing import Any

from ontap_mlops.clouds import errors
from ontap_mlops.clouds.google_netapp.client import SERVICE, Client, failed
from ontap_mlops.clouds.marks import TAG

POOL, VOLUME, SNAPSHOT, REPLICATION = "storage_pool", "volume", "snapshot", "replication"
_FOLDERS = {POOL: "storagePools", VOLUME: "volumes", SNAPSHOT: "snapshots", REPLICATION: "replications"}
MIRRORED = frozenset({"MIRRORED", "TRANSFERRING"})  # the first copy is complete
_READY = frozenset({"READY", "READ_ONLY", "EXTERNALLY_MANAGED_REPLICATION"})


def name_of(client: Client, kind: str, id_: str, volume: str = "") -> str:
    """The full name; ``volume`` is that of a snapshot or a replication."""
    below = f"/volumes/{volume}" if kind in (SNAPSHOT, REPLICATION) else ""
    return f"{client.parent}{below}/{_FOLDERS[kind]}/{id_}"


def worded(kind: str, name: str) -> str:
    """An object in words: its kind, its id, and where it is."""
    parts = name.split("/")
    return f"{kind.replace('_', ' ')} {parts[-1]!r} in {parts[3]} of project {parts[1]!r}"


def find(client: Client, kind: str, name: str) -> Any | None:
    """None when there is none."""
    try:
        return client.call(f"show {worded(kind, name)}", getattr(client.api, f"get_{kind}"), name=name)
    except errors.NotFound:
        return None


def get(client: Client, kind: str, name: str) -> Any:
    """Raises NotFound."""
    found = find(client, kind, name)
    if found is None:
        raise errors.NotFound(
            f"{SERVICE} has no {worded(kind, name)}. Check the name, and project and location of the connection."
        )
    return found


def is_ours(record: Any) -> bool:
    return TAG in record.labels


def require_ours(kind: str, record: Any) -> None:
    """Raises NotOurs for an object without our label."""
    if not is_ours(record):
        raise errors.NotOurs(
            f"The {worded(kind, record.name)} does not carry the label {TAG!r}, so it was not made here and stays "
            "as it is."
        )


def look(
    client: Client,
    *,
    kind: str,
    name: str,
    operation: str = "",
    asked: str = "",
    gone: bool = False,
    mirror: list[str] | None = None,
    cursor: str = "",
) -> dict[str, Any]:
    """Return how an object stands, as a PollingTrigger asks: done when it is there and usable, or with ``gone``, away.

    ``operation`` is the name of the work, which knows why it failed; without it the object's own state tells. A
    replication has besides to be in one of the states ``mirror``.
    """
    told = client.operation(operation) if operation else None
    if told is not None and told.error.code:
        raise failed(asked, told.error.code, told.error.message)
    if told is not None and not told.done:
        return _going_on(f"at work to {asked}", cursor)
    record = find(client, kind, name)
    if gone:
        return {"done": True, "payload": {"name": name}} if record is None else _going_on("deleting", cursor)
    if record is None:
        if told is None:
            return _going_on("not to be seen yet", cursor)
        record = get(client, kind, name)  # raises
    if record.state.name in ("ERROR", "DISABLED"):
        raise errors.BadState(f"The {worded(kind, name)} is {record.state.name}: {errors.short(record.state_details)}.")
    if record.state.name not in _READY:
        return _going_on(record.state.name, cursor)
    if mirror and record.mirror_state.name not in mirror:
        if record.mirror_state.name == "ABORTED":
            raise errors.OperationFailed(f"The {worded(kind, name)} was aborted: {errors.short(record.state_details)}.")
        return _going_on(f"the mirror is {record.mirror_state.name}", cursor)
    return {"done": True, "payload": facts(kind, record)}


def facts(kind: str, record: Any) -> dict[str, Any]:
    """Plain values for XCom."""
    told: dict[str, Any] = {"name": record.name, "id": record.name.rpartition("/")[2], "state": record.state.name}
    if kind in (POOL, VOLUME):
        told |= {"service_level": record.service_level.name, "capacity_gib": int(record.capacity_gib)}
    if kind == VOLUME:
        mounts = [option.export_full for option in record.mount_options if option.export_full]
        told |= {
            "pool": record.storage_pool.rpartition("/")[2],
            "share": record.share_name,
            "mount": (mounts or [None])[0],
        }
    if kind == REPLICATION:
        lag = record.transfer_stats.lag_duration
        told |= {"mirror": record.mirror_state.name, "healthy": bool(record.healthy)}
        told |= {"destination_volume": record.destination_volume, "lag_s": lag.total_seconds() if lag else None}
    return {key: value for key, value in told.items() if value is not None}


def _going_on(state: str, cursor: str) -> dict[str, Any]:
    line = f"{SERVICE}: {state}."
    return {"done": False, "lines": [] if line == cursor else [line], "cursor": line}
