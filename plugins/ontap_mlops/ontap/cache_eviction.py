"""Removal of cached dataset versions that nobody uses, each with the reason why it goes or stays."""

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
    unused = now - cached.used
    if unused < timedelta(days=days):
        return _kept(cached, f"last used {_ago(unused)} ago; unused caches are kept for {days:g} days")
    why = f"unused for {_ago(unused)}; unused caches are kept for {days:g} days"
    if dry:
        return Verdict(cached=cached, removed=True, why=why)
    return _evicted(home, there, cached, clone, owner, is_over, why)


def _evicted(
    home: Client, there: Client, cached: Cached, clone: Volume, owner: str, is_over: IsOver, why: str
) -> Verdict:
    site = cached.site
    other = cache_uses.begin_eviction(home, volume_uuid=clone.uuid, site=site, owner=owner, is_over=is_over)
    if other is not None:
        return _kept(cached, f"{other.owner} is removing it since {other.since}")
    # Looked at again with the eviction said: who took a lease before it is seen here, who takes one later sees it.
    found = cache_uses.uses(home, volume_uuid=clone.uuid, site=site)
    latest = dataset_caches.find(there, svm=cached.cache.svm, version_id=cached.version_id)
    if found or (latest is not None and latest.used > cached.used):
        cache_uses.end_eviction(home, volume_uuid=clone.uuid, site=site, owner=owner)
        return _kept(cached, _in_use(found) if found else "used just now")
    comment = cached.cache.comment
    caches.delete(there, svm=cached.cache.svm, name=cached.cache.name, accepts=lambda said: said == comment)
    if not dataset_caches.remove_origin(home, svm=clone.svm, name=clone.name, is_over=is_over):
        cache_uses.end_eviction(home, volume_uuid=clone.uuid, site=site, owner=owner)
    return Verdict(cached=cached, removed=True, why=why)


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


def collect_origins(client: Client, *, svm: str, before: datetime, is_over: IsOver) -> list[str]:
    """Remove the clones, made before a time, of which there is no cache and that no run is about to use.

    Return their names.
    """
    removed = []
    for clone in dataset_caches.origins(client, svm=svm):
        made = datetime.fromisoformat(clone.created_at) if clone.created_at else None
        if made is None or made >= before:
            continue
        if dataset_caches.remove_origin(client, svm=svm, name=clone.name, is_over=is_over):
            removed.append(clone.name)
    return removed


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
