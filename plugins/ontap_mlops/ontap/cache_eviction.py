"""Removal of cached dataset versions that nobody uses, each with the reason why it goes or stays.

How it keeps clear of runs that begin to use one meanwhile: see ``dataset_caches``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ontap_mlops.ontap import cache_uses, caches, dataset_caches, volumes
from ontap_mlops.ontap.cache_uses import IsOver
from ontap_mlops.ontap.client import Client
from ontap_mlops.ontap.dataset_caches import Cached
from ontap_mlops.ontap.errors import NotFound
from ontap_mlops.ontap.leases import Lease
from ontap_mlops.ontap.volumes import Volume


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What was done with one cache, or would be in a dry run, and why."""

    cached: Cached
    removed: bool
    why: str


def judge(
    home: Client, there: Client, cached: Cached, *, days: float, now: datetime, owner: str, is_over: IsOver, dry: bool
) -> Verdict:
    """Remove the cache if it has been unused for ``days`` and nobody holds a lease; say why, or why not.

    A lease of a run that is over for certain is given up for it, and counts as a use until now.

    :param owner: of the eviction, see ``cache_uses.owner``; the same on every try.
    :param dry: change nothing.
    """
    clone = _clone(home, cached)
    if clone is None:
        return _kept(cached, "its origin at home is no clone of ours, so nobody can tell who uses it")
    found = cache_uses.uses(home, volume_uuid=clone.uuid, site=cached.site)
    if live := [lease for lease in found if not is_over(lease.owner)]:
        return _kept(cached, _in_use(live))
    if found:
        return _left_behind(home, there, cached, clone, found, now, dry)
    if cached.removed_by not in (None, owner) and not is_over(str(cached.removed_by)):
        return _kept(cached, f"{cached.removed_by} is removing it")
    unused = now - cached.used
    if unused < timedelta(days=days):
        return _kept(cached, f"last used {_ago(unused)} ago; unused caches are kept for {days:g} days")
    why = f"unused for {_ago(unused)}; unused caches are kept for {days:g} days"
    if dry or _removed(home, there, cached, clone, owner):
        return Verdict(cached=cached, removed=True, why=why)
    return _kept(cached, "taken into use just now")


def _removed(home: Client, there: Client, cached: Cached, clone: Volume, owner: str) -> bool:
    """Say that it is being removed, and remove it unless a run has taken a lease before that could be seen."""
    latest = dataset_caches.find(there, svm=cached.cache.svm, version_id=cached.version_id)
    if latest is None:
        return True  # by an earlier try
    if latest.used > cached.used:
        return False
    said = dataset_caches.note(there, latest, used=latest.used, removed_by=owner)
    if cache_uses.uses(home, volume_uuid=clone.uuid, site=cached.site):
        dataset_caches.note(there, said, used=latest.used)
        return False
    comment = said.cache.comment
    caches.delete(there, svm=cached.cache.svm, name=cached.cache.name, accepts=lambda found: found == comment)
    return True


def _left_behind(
    home: Client, there: Client, cached: Cached, clone: Volume, found: list[Lease], now: datetime, dry: bool
) -> Verdict:
    who = ", ".join(lease.owner for lease in found)
    if not dry:
        # The time first: were it killed in between, the cache would look unused although it was not.
        dataset_caches.touch(there, cached, now)
        for lease in found:
            cache_uses.release(home, volume_uuid=clone.uuid, site=cached.site, owner=lease.owner)
    return _kept(replace(cached, used=now), f"{who} is over without having released it; it counts as used until now")


def collect_origins(client: Client, *, svm: str, is_over: IsOver) -> list[str]:
    """Remove the clones of which there is no cache and that no run is about to use; return their names.

    One whose cache is being made has a lease. It may be met in the moment before; then its run makes it anew.
    """
    found = dataset_caches.origins(client, svm=svm)
    return [c.name for c in found if dataset_caches.remove_origin(client, svm=svm, name=c.name, is_over=is_over)]


def _clone(home: Client, cached: Cached) -> Volume | None:
    try:
        volume = volumes.by_uuid(home, uuid=cached.cache.origin_volume_uuid)
    except NotFound:
        return None
    return volume if dataset_caches.is_origin(volume) and volume.name == cached.cache.name else None


def _kept(cached: Cached, why: str) -> Verdict:
    return Verdict(cached=cached, removed=False, why=why)


def _in_use(found: list[Lease]) -> str:
    return "in use: " + ", ".join(f"{lease.owner} since {lease.since}" for lease in found)


def _ago(span: timedelta) -> str:
    hours = span.total_seconds() / 3600
    return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.1f} days"
