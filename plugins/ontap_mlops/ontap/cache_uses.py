"""Who uses a cached dataset version: leases on the clone at home that is the caches' origin.

A cache has no snapshots, so its leases lie on its origin (see ``leases``), one for each run and site.
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


def take(client: Client, *, volume_uuid: str, site: str, owner: str) -> Lease:
    """Say that a run uses the cache at a site. Raises UnderWay where the clone has just been removed."""
    name = names.cache_use(site, owner.split(" ", 1)[0])
    try:
        return leases.take(client, volume_uuid=volume_uuid, name=name, owner=owner)
    except NotFound as error:
        raise UnderWay(f"{error} It was removed meanwhile, since nobody used it yet. {UnderWay.advice}.") from error


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
