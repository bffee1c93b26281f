"""What is made once: found by its name, else asked for; Azure goes on with it, and ``resources.look`` follows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ontap_mlops.clouds import errors
from ontap_mlops.clouds.azure_netapp import resources
from ontap_mlops.clouds.azure_netapp.client import Client
from ontap_mlops.clouds.azure_netapp.resources import ACCOUNT, POOL, SNAPSHOT, VOLUME
from ontap_mlops.clouds.marks import TAG
from ontap_mlops.pauses import looks

LEVELS = ("Standard", "Premium", "Ultra", "StandardZRS", "Flexible")
TIB = 1024**4
SMALLEST_VOLUME = 50 * 1024**3
ACCOUNT_S = 180.0


def ensure_account(client: Client) -> dict[str, Any]:
    """Make the account of the connection, in its location; the arguments of ``look``."""
    found = resources.find(client, ACCOUNT, ())
    if found is not None:
        if str(found.get("location", "")).replace(" ", "").lower() != client.location.replace(" ", "").lower():
            raise errors.NameTaken(
                f"NetApp account {client.account!r} is in {found.get('location')!r}, and the connection says "
                f"{client.location!r}. Correct the location, or name another account."
            )
        return {"kind": ACCOUNT, "names": []}
    body = {"location": client.location, "tags": {TAG: client.account}, "properties": {}}
    return _begun(client, ACCOUNT, (), client.api.accounts.begin_create_or_update, body)


def require_account(client: Client, *, pause_s: float) -> None:
    """Make the account and wait for it, which takes seconds. Raises InUse when it does not.

    :param pause_s: the longest pause between two looks.
    """
    account = ensure_account(client)
    for _ in looks(ACCOUNT_S, longest_s=pause_s):
        if resources.look(client, **account)["done"]:
            return
    raise errors.InUse(f"NetApp account {client.account!r} was not ready after {ACCOUNT_S:g} s; Azure goes on.")


def ensure_pool(client: Client, *, pool: str, size_bytes: int, service_level: str, qos: str = "Auto") -> dict[str, Any]:
    """Make a capacity pool, or find it. Raises NameTaken when it has another level or is smaller."""
    if service_level not in LEVELS:
        raise errors.InvalidRequest(f"Service level {service_level!r} is not known; give one of {', '.join(LEVELS)}.")
    if size_bytes < TIB or size_bytes % TIB:
        raise errors.InvalidRequest(
            f"Pool {pool!r} was asked for with {size_bytes} bytes; give whole TiB, at least one."
        )
    found = resources.find(client, POOL, (pool,))
    if found is not None:
        there = found["properties"]
        if (there.get("serviceLevel"), there.get("size", 0) >= size_bytes) != (service_level, True):
            raise errors.NameTaken(
                f"Capacity pool {pool!r} is {there.get('serviceLevel')} with {there.get('size')} bytes, and was asked "
                f"for as {service_level} with {size_bytes}. Choose another name, or change it in Azure."
            )
        return {"kind": POOL, "names": [pool]}
    properties = {"size": size_bytes, "serviceLevel": service_level, "qosType": qos}
    body = {"location": client.location, "tags": {TAG: pool}, "properties": properties}
    return _begun(client, POOL, (pool,), client.api.pools.begin_create_or_update, body)


def ensure_volume(
    client: Client,
    *,
    volume: str,
    pool: str,
    size_bytes: int,
    subnet_id: str,
    path: str | None = None,
    protocols: Sequence[str] = ("NFSv3",),
    clients: str = "0.0.0.0/0",
) -> dict[str, Any]:
    """Make a volume in a pool, or find it in any pool. Raises NameTaken when it is somebody else's, or smaller."""
    if size_bytes < SMALLEST_VOLUME:
        raise errors.InvalidRequest(
            f"Volume {volume!r} was asked for with {size_bytes} bytes; Azure makes 50 GiB or more."
        )
    held = resources.volume_in(client, volume)
    if held is not None:
        return _adopted(volume, *held, size_bytes)
    level = resources.get(client, POOL, (pool,))["properties"].get("serviceLevel")
    rule = {"ruleIndex": 1, "allowedClients": clients, "unixReadWrite": True, "hasRootAccess": True}
    rule |= {name: any(p.lower() == name for p in protocols) for name in ("nfsv3", "nfsv41", "cifs")}
    body = {
        "location": client.location,
        "tags": {TAG: volume},
        "properties": {
            "creationToken": path or volume,
            "serviceLevel": level,
            "usageThreshold": size_bytes,
            "subnetId": subnet_id,
            "protocolTypes": list(protocols),
            "exportPolicy": {"rules": [rule]},
        },
    }
    return _begun(client, VOLUME, (pool, volume), client.api.volumes.begin_create_or_update, body)


def ensure_snapshot(client: Client, *, volume: str, snapshot: str) -> dict[str, Any]:
    """Make a snapshot of a volume, or find it."""
    pool = _pool_of(client, volume)
    names = (pool, volume, snapshot)
    if resources.find(client, SNAPSHOT, names) is not None:
        return {"kind": SNAPSHOT, "names": list(names)}
    return _begun(client, SNAPSHOT, names, client.api.snapshots.begin_create, {"location": client.location})


def change_pool(client: Client, *, volume: str, pool: str) -> dict[str, Any]:
    """Move a volume to another pool, and so to that pool's service level; no client is disconnected."""
    now = _pool_of(client, volume)
    after = {"kind": VOLUME, "names": [pool, volume]}
    if now == pool:
        return after
    target = resources.get(client, POOL, (pool,))
    record = resources.get(client, VOLUME, (now, volume))
    resources.require_ours(client, VOLUME, (now, volume), record)
    if record["properties"].get("provisioningState") == "Moving":
        return after
    asked = f"move volume {volume!r} from pool {now!r} to pool {pool!r}"
    body = {"newPoolResourceId": target["id"]}
    operation = client.begin(asked, client.api.volumes.begin_pool_change, now, volume, body)
    return {**after, "operation": operation, "asked": asked}


def delete(client: Client, *, kind: str, names: Sequence[str]) -> dict[str, Any]:
    """Begin to delete what was made here; a volume's snapshots go with it. Raises NotOurs."""
    if kind in (VOLUME, SNAPSHOT):
        held = resources.volume_in(client, names[0])
        names = (held[0], *names) if held else ("", *names)
    record = resources.find(client, kind, names) if names[0] else None
    after = {"kind": kind, "names": list(names), "gone": True}
    if record is None:
        return after
    resources.require_ours(client, kind, names, record)
    asked = f"delete {resources.named(client, kind, names)}"
    if record.get("properties", {}).get("provisioningState") == "Deleting":
        return after
    operation = client.begin(asked, resources.operations(client, kind).begin_delete, *names)
    return {**after, "operation": operation, "asked": asked}


def _begun(client: Client, kind: str, names: Sequence[str], function: Any, body: dict[str, Any]) -> dict[str, Any]:
    asked = f"make {resources.named(client, kind, names)}"
    operation = client.begin(asked, function, *names, body)
    return {"kind": kind, "names": list(names), "operation": operation, "asked": asked}


def _pool_of(client: Client, volume: str) -> str:
    held = resources.volume_in(client, volume)
    if held is None:
        raise errors.NotFound(
            f"No capacity pool of account {client.account!r} holds a volume {volume!r}. Check the name."
        )
    return held[0]


def _adopted(volume: str, pool: str, record: Any, size_bytes: int) -> dict[str, Any]:
    size = record["properties"].get("usageThreshold") or 0
    if not resources.is_ours(record):
        raise errors.NameTaken(
            f"The name {volume!r} belongs to a volume in pool {pool!r} that was not made here. Choose another name, or "
            f"give it the tag {TAG} to have it used."
        )
    if size < size_bytes:
        raise errors.NameTaken(
            f"Volume {volume!r} has {size} bytes, and was asked for with {size_bytes}. Enlarge it, or ask for less."
        )
    return {"kind": VOLUME, "names": [pool, volume]}
