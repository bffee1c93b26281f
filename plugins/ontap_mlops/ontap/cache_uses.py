"""Who uses a cached dataset version, and who removes it: leases on the clone at home that is the caches' origin.

A cache has no snapshots, so its leases lie on its origin (see ``leases``). A run takes a lease of its own and then
looks for an eviction; an eviction takes its lease and then looks for uses. Each writes before it looks, so of two that
meet at least one sees the other and steps back.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ontap_mlops import names
from ontap_mlops.ontap import leases, snapshots
from ontap_mlops.ontap.client import Client
from ontap_mlops.ontap.errors import NotFound, UnderWay
from ontap_mlops.ontap.leases import Lease

_OWNER = re.compile(r"(\S+) of ([^/\s]+)/(.+)")
_LONGEST = 230  # of what a snapshot's comment can hold beside our mark

IsOver = Callable[[str], bool]
"""Says of an owner whether its run is over for certain."""


def owner(run_key: str, dag_id: str, run_id: str) -> str:
    """Name a run so that another can find out whether it is over; by its key alone where there is no room for more."""
    text = f"{run_key} of {dag_id}/{run_id}"
    return text if len(text) <= _LONGEST else run_key


def run_of(owner: str) -> tuple[str, str] | None:
    """Return DAG id and run id; None where the owner does not say."""
    match = _OWNER.fullmatch(owner)
    return (match[2], match[3]) if match else None


def take(client: Client, *, volume_uuid: str, site: str, owner: str, is_over: IsOver) -> Lease:
    """Say that a run uses the cache at a site. Raises UnderWay while the cache is being removed."""
    name = names.cache_use(site, owner.split(" ", 1)[0])
    lease = leases.take(client, volume_uuid=volume_uuid, name=name, owner=owner)
    other = leases.read(client, volume_uuid=volume_uuid, name=names.cache_eviction(site))
    if other is None:
        return lease
    if is_over(other.owner):  # it died before its end
        leases.release(client, volume_uuid=volume_uuid, name=other.name, owner=other.owner)
        return lease
    release(client, volume_uuid=volume_uuid, site=site, owner=owner)
    raise UnderWay(f"The cache at site {site} is being removed ({other}). {UnderWay.advice}.")


def release(client: Client, *, volume_uuid: str, site: str, owner: str) -> bool:
    name = names.cache_use(site, owner.split(" ", 1)[0])
    return leases.release(client, volume_uuid=volume_uuid, name=name, owner=owner)


def uses(client: Client, *, volume_uuid: str, site: str = "*") -> list[Lease]:
    """Return who uses the cache at a site, or at any; nobody where the clone is gone."""
    try:
        found = snapshots.list_snapshots(client, volume_uuid=volume_uuid, name=names.cache_use(site, "*"))
    except NotFound:
        return []
    read = (leases.read(client, volume_uuid=volume_uuid, name=each.name) for each in found if leases.is_lease(each))
    return [lease for lease in read if lease is not None]


def begin_eviction(client: Client, *, volume_uuid: str, site: str, owner: str, is_over: IsOver) -> Lease | None:
    """Say that the cache at a site is being removed; whoever else says so already, or None where it is this owner."""
    name = names.cache_eviction(site)
    lease = leases.take(client, volume_uuid=volume_uuid, name=name, owner=owner)
    if lease.owner != owner and is_over(lease.owner):
        leases.release(client, volume_uuid=volume_uuid, name=name, owner=lease.owner)
        lease = leases.take(client, volume_uuid=volume_uuid, name=name, owner=owner)
    return None if lease.owner == owner else lease


def end_eviction(client: Client, *, volume_uuid: str, site: str, owner: str) -> None:
    """Say that it was not removed after all; nothing happens where the clone went with it."""
    try:
        leases.release(client, volume_uuid=volume_uuid, name=names.cache_eviction(site), owner=owner)
    except NotFound:
        return
