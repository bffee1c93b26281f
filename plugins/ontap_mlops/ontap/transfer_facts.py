"""What ONTAP knows of a volume that is to be moved, and of the place where it is to be."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ontap_mlops.ontap import cluster, peers
from ontap_mlops.ontap.client import Client
from ontap_mlops.ontap.errors import NotAuthorized, NotFound, OntapPermanentError

_DAY_S = 86_400
# Over less time, what was written last decides by chance.
_LEAST_S = 3600.0


@dataclass(frozen=True, kw_only=True)
class VolumeFacts:
    """Bytes and files in use; ``change_bytes_a_day`` is None where no snapshot is old enough to tell."""

    used_bytes: int
    files: int | None = None
    change_bytes_a_day: float | None = None
    is_cache: bool = False


@dataclass(frozen=True, kw_only=True)
class PlaceFacts:
    """``cluster`` and ``version`` are empty, and a licence is None, for an account that may not read them."""

    cluster: str = ""
    version: tuple[int, ...] | None = None
    free_bytes: int | None = None
    snapmirror_licence: bool | None = None


def of_volume(client: Client, *, svm: str, volume: str) -> VolumeFacts:
    """Raises NotFound where there is no such volume."""
    asked = f"read the size of volume {volume!r} of SVM {svm!r}"
    fields = "uuid,name,space.used,files.used,flexcache_endpoint_type"
    found = client.records("Volume", asked=asked, fields=fields, name=volume, **{"svm.name": svm})
    record = next((each for each in found if each.get("name") == volume), None)
    if record is None:
        raise NotFound(f"There is no volume {volume!r} of SVM {svm!r} on ONTAP at {client.address}. Check the name.")
    return VolumeFacts(
        used_bytes=int((record.get("space") or {}).get("used") or 0),
        files=(record.get("files") or {}).get("used"),
        change_bytes_a_day=change_rate(client, volume_uuid=record["uuid"]),
        is_cache=record.get("flexcache_endpoint_type") == "cache",
    )


def change_rate(client: Client, *, volume_uuid: str) -> float | None:
    """Return bytes a day that have changed since the oldest snapshot; None without one that is an hour old.

    What was written more than once in that time counts once, as it does for a mirror that is updated as rarely.
    """
    asked = f"read how much of volume {volume_uuid} has changed since its snapshots"
    try:
        listed = client.records("Snapshot", volume_uuid, asked=asked, fields="name,create_time")
        oldest = min((each for each in listed if each.get("create_time")), key=_when, default=None)
        if oldest is None:
            return None
        found = client.records("Snapshot", volume_uuid, asked=asked, fields="delta", name=oldest["name"])
    except OntapPermanentError:  # an ONTAP, or a kind of volume, that does not tell
        return None
    delta = (found[0].get("delta") or {}) if found else {}
    elapsed = seconds_of(delta.get("time_elapsed"))
    if delta.get("size_consumed") is None or elapsed is None or elapsed < _LEAST_S:
        return None
    return float(delta["size_consumed"]) * _DAY_S / elapsed


def of_place(client: Client, *, svm: str) -> PlaceFacts:
    """Return what is known of the cluster, and the room on the aggregate of this SVM that has most."""
    try:
        found = cluster.get(client)
        name, version = found.name, found.version
    except NotAuthorized:
        name, version = "", None
    return PlaceFacts(
        cluster=name, version=version, free_bytes=_free(client, svm), snapmirror_licence=licensed(client, "snapmirror")
    )


def licensed(client: Client, package: str) -> bool | None:
    """Tell whether the cluster has a licence for a package; None for an account that may not read licences.

    ONTAP lists what is not licensed only where that is asked for, and then says so plainly.
    """
    asked = f"see whether {package!r} is licensed"
    try:
        found = client.records("LicensePackage", asked=asked, fields="name,state", name=package, state="unlicensed")
    except OntapPermanentError:
        return None
    return not any(each.get("name") == package for each in found)


def peered(client: Client, *, svm: str, peer_svm: str, peer_cluster: str) -> bool | None:
    """Tell whether the SVM has that of the other cluster as its peer; None for an account that may not read it."""
    try:
        found = peers.find_svm_peer(client, svm=svm, peer_svm=peer_svm, peer_cluster=peer_cluster or None)
    except NotAuthorized:
        return None
    return found is not None and found.state == "peered"


def seconds_of(duration: str | None) -> float | None:
    """Return the seconds of an ISO 8601 duration such as ``P1DT3H27M45S``; None where there is none."""
    match = re.fullmatch(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?", duration or "")
    if not match:
        return None
    return sum(float(part or 0) * unit for part, unit in zip(match.groups(), (_DAY_S, 3600, 60, 1), strict=True))


def _when(record: dict[str, Any]) -> str:
    return str(record["create_time"])


def _free(client: Client, svm: str) -> int | None:
    asked = f"read the free space of SVM {svm!r}"
    try:
        found = client.records("Aggregate", asked=asked, fields="space.block_storage.available")
    except NotAuthorized:
        return None
    free = [(each.get("space") or {}).get("block_storage", {}).get("available") for each in found]
    return max((int(each) for each in free if each is not None), default=None)
