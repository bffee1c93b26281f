"""What is made once: found by its name, else asked for; Google goes on with it, and ``resources.look`` follows."""

from __future__ import annotations

from typing import Any

from ontap_mlops.clouds import errors, marks
from ontap_mlops.clouds.google_netapp import resources
from ontap_mlops.clouds.google_netapp.client import Client
from ontap_mlops.clouds.google_netapp.resources import MIRRORED, POOL, REPLICATION, SNAPSHOT, VOLUME, name_of, worded

LEVELS = ("STANDARD", "PREMIUM", "EXTREME", "FLEX")
PROTOCOLS = ("NFSV3", "NFSV4", "SMB")
SCHEDULES = ("EVERY_10_MINUTES", "HOURLY", "DAILY")


def ensure_pool(
    client: Client, *, pool: str, capacity_gib: int, service_level: str, network: str, zone: str = ""
) -> dict[str, Any]:
    """Make a storage pool, or find it; the arguments of ``look``. Raises NameTaken for another level or too little."""
    _one_of("Service level", service_level, LEVELS)
    name = name_of(client, POOL, pool)
    found = resources.find(client, POOL, name)
    if found is not None:
        _require_ours(POOL, found)
        if found.service_level.name != service_level or found.capacity_gib < capacity_gib:
            raise errors.NameTaken(
                f"The {worded(POOL, name)} is {found.service_level.name} with {found.capacity_gib} GiB, and was asked "
                f"for as {service_level} with {capacity_gib}. Choose another name, or change it."
            )
        return {"kind": POOL, "name": name}
    body: dict[str, Any] = {
        "service_level": service_level,
        "capacity_gib": capacity_gib,
        "network": _network(client, network),
    }
    if zone:
        body["zone"] = zone
    return _begun(client, POOL, name, {"parent": client.parent, "storage_pool_id": pool}, body, pool)


def ensure_volume(
    client: Client,
    *,
    volume: str,
    pool: str,
    capacity_gib: int,
    share: str = "",
    protocol: str = "NFSV3",
    clients: str = "0.0.0.0/0",
) -> dict[str, Any]:
    """Make a volume in a pool, or find it. Raises NameTaken when it is somebody else's, in another pool, or smaller."""
    _one_of("Protocol", protocol, PROTOCOLS)
    name = name_of(client, VOLUME, volume)
    found = resources.find(client, VOLUME, name)
    if found is not None:
        _require_ours(VOLUME, found)
        there = found.storage_pool.rpartition("/")[2]
        if there != pool or found.capacity_gib < capacity_gib:
            raise errors.NameTaken(
                f"The {worded(VOLUME, name)} has {found.capacity_gib} GiB in pool {there!r}, and was asked for with "
                f"{capacity_gib} in {pool!r}. Choose another name, or change it."
            )
        return {"kind": VOLUME, "name": name}
    resources.get(client, POOL, name_of(client, POOL, pool))
    rule: dict[str, Any] = {"allowed_clients": clients, "access_type": "READ_WRITE", "has_root_access": "true"}
    rule |= {"nfsv3": protocol == "NFSV3", "nfsv4": protocol == "NFSV4"}
    body = {
        "storage_pool": pool,
        "capacity_gib": capacity_gib,
        "share_name": share or volume,
        "protocols": [protocol],
        **({} if protocol == "SMB" else {"export_policy": {"rules": [rule]}, "unix_permissions": "0770"}),
    }
    return _begun(client, VOLUME, name, {"parent": client.parent, "volume_id": volume}, body, volume)


def ensure_snapshot(client: Client, *, volume: str, snapshot: str) -> dict[str, Any]:
    """Make a snapshot of a volume, or find it."""
    name = name_of(client, SNAPSHOT, snapshot, volume)
    if resources.find(client, SNAPSHOT, name) is not None:
        return {"kind": SNAPSHOT, "name": name}
    parent = name_of(client, VOLUME, volume)
    resources.get(client, VOLUME, parent)
    return _begun(client, SNAPSHOT, name, {"parent": parent, "snapshot_id": snapshot}, {}, snapshot)


def ensure_replication(
    client: Client, *, volume: str, replication: str, to_location: str, to_pool: str, schedule: str, to_volume: str = ""
) -> dict[str, Any]:
    """Mirror a volume into a pool of another location, or find the mirror; waited for until its first copy is whole."""
    _one_of("Schedule", schedule, SCHEDULES)
    name = name_of(client, REPLICATION, replication, volume)
    pool = f"projects/{client.project}/locations/{to_location}/storagePools/{to_pool}"
    target = f"projects/{client.project}/locations/{to_location}/volumes/{to_volume or volume}"
    after = {"kind": REPLICATION, "name": name, "mirror": sorted(MIRRORED)}
    found = resources.find(client, REPLICATION, name)
    if found is not None:
        _require_ours(REPLICATION, found)
        if found.destination_volume and found.destination_volume != target:
            raise errors.NameTaken(
                f"The {worded(REPLICATION, name)} mirrors into {found.destination_volume}, and was asked for into "
                f"{target}. Choose another name."
            )
        return after
    parent = name_of(client, VOLUME, volume)
    resources.get(client, VOLUME, parent)
    resources.get(client, POOL, pool)
    body = {
        "replication_schedule": schedule,
        "destination_volume_parameters": {"storage_pool": pool, "volume_id": to_volume or volume},
    }
    begun = _begun(client, REPLICATION, name, {"parent": parent, "replication_id": replication}, body, replication)
    return {**begun, "mirror": sorted(MIRRORED)}


def stop_replication(client: Client, *, volume: str, replication: str) -> dict[str, Any]:
    """Stop a mirror, so that the destination can be written; stopped already, it stays so."""
    return _turned(client, volume, replication, "stop", ("STOPPED",))


def resume_replication(client: Client, *, volume: str, replication: str) -> dict[str, Any]:
    """Go on mirroring from the source: what was written at the destination since it was stopped is lost."""
    return _turned(client, volume, replication, "resume", tuple(sorted(MIRRORED)))


def delete(client: Client, *, kind: str, id: str, volume: str = "", force: bool = False) -> dict[str, Any]:
    """Begin to delete what was made here; ``force`` takes a volume's snapshots with it. Raises NotOurs."""
    name = name_of(client, kind, id, volume)
    after = {"kind": kind, "name": name, "gone": True}
    found = resources.find(client, kind, name)
    if found is None:
        return after
    resources.require_ours(kind, found)
    if found.state.name == "DELETING":
        return after
    asked = f"delete {worded(kind, name)}"
    function = getattr(client.api, f"delete_{kind}")
    more = {"force": True} if force else {}
    return {**after, "asked": asked, "operation": client.begin(asked, function, request={"name": name, **more})}


def _turned(client: Client, volume: str, replication: str, verb: str, wanted: tuple[str, ...]) -> dict[str, Any]:
    name = name_of(client, REPLICATION, replication, volume)
    found = resources.get(client, REPLICATION, name)
    resources.require_ours(REPLICATION, found)
    after = {"kind": REPLICATION, "name": name, "mirror": list(wanted)}
    if found.mirror_state.name in wanted or found.state.name == "UPDATING":
        return after
    asked = f"{verb} {worded(REPLICATION, name)}"
    function = getattr(client.api, f"{verb}_replication")
    return {**after, "asked": asked, "operation": client.begin(asked, function, request={"name": name})}


def _begun(
    client: Client, kind: str, name: str, where: dict[str, str], body: dict[str, Any], owner: str
) -> dict[str, Any]:
    asked = f"make {worded(kind, name)}"
    body = {**body, "labels": {marks.TAG: marks.label(owner)}}
    function = getattr(client.api, f"create_{kind}")
    operation = client.begin(asked, function, request={**where, kind: body})
    return {"kind": kind, "name": name, "operation": operation, "asked": asked}


def _require_ours(kind: str, found: Any) -> None:
    if not resources.is_ours(found):
        raise errors.NameTaken(
            f"The {worded(kind, found.name)} was not made here. Choose another name, or give it the label {marks.TAG} "
            "to have it used."
        )


def _one_of(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise errors.InvalidRequest(f"{what} {value!r} is not known; give one of {', '.join(known)}.")


def _network(client: Client, network: str) -> str:
    return network if "/" in network else f"projects/{client.project}/global/networks/{network}"
