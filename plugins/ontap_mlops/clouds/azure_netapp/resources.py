"""Accounts, pools, volumes and snapshots: found by name, followed to their state, told in plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ontap_mlops.clouds import errors
from ontap_mlops.clouds.azure_netapp.client import SERVICE, Client, refused
from ontap_mlops.clouds.marks import TAG

ACCOUNT, POOL, VOLUME, SNAPSHOT = "account", "pool", "volume", "snapshot"
_OPERATIONS = {ACCOUNT: "accounts", POOL: "pools", VOLUME: "volumes", SNAPSHOT: "snapshots"}
_WORDS = {ACCOUNT: "NetApp account", POOL: "capacity pool", VOLUME: "volume", SNAPSHOT: "snapshot"}


def operations(client: Client, kind: str) -> Any:
    """The client's own operations on a kind."""
    return getattr(client.api, _OPERATIONS[kind])


def named(client: Client, kind: str, names: Sequence[str]) -> str:
    """An object in words; ``names`` are those of pool, volume and snapshot, as far as they go."""
    return f"{_WORDS[kind]} {'/'.join((client.account, *names))!r}"


def find(client: Client, kind: str, names: Sequence[str]) -> Any | None:
    """None when there is none."""
    try:
        return client.call(f"show {named(client, kind, names)}", operations(client, kind).get, *names)
    except errors.NotFound:
        return None


def get(client: Client, kind: str, names: Sequence[str]) -> Any:
    """Raises NotFound."""
    found = find(client, kind, names)
    if found is None:
        raise errors.NotFound(
            f"{SERVICE} has no {named(client, kind, names)} in resource group {client.resource_group!r}. Check the "
            "names, and subscription, resource group and account of the connection."
        )
    return found


def is_ours(record: Any) -> bool:
    return TAG in (record.get("tags") or {})


def require_ours(client: Client, kind: str, names: Sequence[str], record: Any) -> None:
    """Raises NotOurs. A snapshot has no tags: it is ours when its volume is."""
    owner = get(client, VOLUME, names[:2]) if kind == SNAPSHOT else record
    if not is_ours(owner):
        raise errors.NotOurs(
            f"The {named(client, kind, names)} does not carry the tag {TAG!r}, so it was not made here and stays as it "
            "is."
        )


def volume_in(client: Client, volume: str) -> tuple[str, Any] | None:
    """The pool that holds a volume, and the volume; None when no pool of the account does."""
    asked = f"list the capacity pools of account {client.account!r}"
    for pool in client.call(asked, lambda *where: list(client.api.pools.list(*where))):
        name = str(pool.name).rpartition("/")[2]
        if (found := find(client, VOLUME, (name, volume))) is not None:
            return name, found
    return None


def look(
    client: Client,
    *,
    kind: str,
    names: Sequence[str],
    operation: str = "",
    gone: bool = False,
    asked: str = "",
    cursor: str = "",
) -> dict[str, Any]:
    """Return how an object stands, as a PollingTrigger asks: done when it is there and usable, or with ``gone``, away.

    ``operation`` is the address of the work, which knows why it failed; without it the object's own state tells.
    """
    told = client.operation(operation, asked) if operation else None
    if told is not None:
        status = str(told.get("status"))
        if status in ("Failed", "Canceled"):
            error = told.get("error") or {}
            raise _failed(asked, str(error.get("code") or status), str(error.get("message") or "no reason given"))
        if status != "Succeeded":
            return _going_on(f"{status}, {told.get('percentComplete', 0)} %", cursor)
    record = find(client, kind, names)
    if gone:
        return {"done": True, "payload": {"name": names[-1]}} if record is None else _going_on("Deleting", cursor)
    if record is None:
        if told is None:
            return _going_on("not to be seen yet", cursor)
        get(client, kind, names)  # raises
    state = str(_properties(record).get("provisioningState"))
    if state == "Failed":
        raise errors.BadState(f"The {named(client, kind, names)} has failed. Delete it; Azure's activity log says why.")
    if state != "Succeeded":
        return _going_on(state, cursor)
    return {"done": True, "payload": facts(client, kind, names, record)}


def facts(client: Client, kind: str, names: Sequence[str], record: Any) -> dict[str, Any]:
    """Plain values for XCom."""
    properties = _properties(record)
    targets = properties.get("mountTargets") or []
    told = {
        "id": record.get("id"),
        "name": names[-1] if names else client.account,
        "location": record.get("location"),
        "pool": names[0] if len(names) > 1 else None,
        "service_level": properties.get("serviceLevel"),
        "size_bytes": properties.get("usageThreshold") or properties.get("size"),
        "path": properties.get("creationToken"),
        "address": next((target.get("ipAddress") for target in targets), None),
    }
    return {name: value for name, value in told.items() if value is not None}


def _properties(record: Any) -> Mapping[str, Any]:
    return record.get("properties") or {}


def _going_on(state: str, cursor: str) -> dict[str, Any]:
    line = f"Azure NetApp Files is at work: {state}."
    return {"done": False, "lines": [] if line == cursor else [line], "cursor": line}


def _failed(asked: str, code: str, message: str) -> errors.CloudError:
    """What failed for a reason that stays is final; anything else may be tried again."""
    error = refused(asked, 400, code, message)
    return (
        error
        if type(error) is not errors.InvalidRequest or "delegat" in message
        else errors.OperationFailed(str(error))
    )
