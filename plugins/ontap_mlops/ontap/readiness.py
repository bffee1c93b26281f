"""Whether a dataset version can be read where it is wanted, judged by what a survey of that place has found.

ONTAP tells no percentage of what a cache holds. A version counts as warm to the share that its cache's used bytes have
of its own; data that ONTAP compresses takes fewer, and only reading measures it exactly (``tasks.data.warmth``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ontap_mlops import names
from ontap_mlops.ontap import snapshots, volumes
from ontap_mlops.ontap.client import Client
from ontap_mlops.ontap.dataset_caches import Cached
from ontap_mlops.ontap.snapshots import Snapshot

READY = ("valid", None)  # None: this release of ONTAP does not tell


def warm(
    found: Sequence[Cached], *, site: str, dataset: str, version_id: str, version_bytes: int, share: float
) -> dict[str, Any]:
    """Tell whether the version is cached at the site and holds this share of its bytes, of ``list_cached``'s answer."""
    called = f"version {version_id} of dataset {dataset} to be warm at site {site}"
    cached = next((each for each in found if (each.dataset, each.version_id) == (dataset, version_id)), None)
    if cached is None:
        return _wait(f"Waiting for {called}: it is not cached there yet.")
    cache = cached.cache
    if cached.removed_by:
        return _wait(f"Waiting for {called}: its cache is being removed by {cached.removed_by}.")
    held = min(1.0, cache.used_bytes / version_bytes) if version_bytes else 1.0
    if held < share:
        said = f"{cache.used_bytes:,} of {version_bytes:,} bytes"
        return _wait(f"Waiting for {called}: cache {cache.name} holds {said}, {held:.0%} of the {share:.0%} wanted.")
    place = {"site": site, "svm": cache.svm, "volume": cache.name, "junction_path": cache.junction_path or ""}
    sizes = {"used_bytes": cache.used_bytes, "version_bytes": version_bytes, "share": round(held, 4)}
    return {"done": True, "payload": {"version": version_id, **place, **sizes}}


def snapshots_there(client: Client, *, svm: str, volume: str) -> list[Snapshot]:
    """Return the snapshots of a volume; none where there is no such volume yet."""
    there = volumes.find(client, svm=svm, name=volume)
    return snapshots.list_snapshots(client, volume_uuid=there.uuid) if there else []


def frozen(found: Sequence[Snapshot], *, site: str, dataset: str, version_id: str, snapshot: str) -> dict[str, Any]:
    """Tell whether the version's snapshot is at the site and whole, of ``snapshots_there``'s answer."""
    called = f"version {version_id} of dataset {dataset} to be readable at {site}"
    there = next((each for each in found if each.name == (snapshot or names.snapshot(version_id))), None)
    if there is None:
        newest = f"; the newest of {len(found)} there is {found[-1].name}" if found else ""
        return _wait(f"Waiting for {called}: its snapshot has not come there yet{newest}.")
    if there.state not in READY:
        return _wait(f"Waiting for {called}: its snapshot there is {there.state}.")
    facts = {"site": site, "version": version_id, "snapshot": there.name, "snapshot_uuid": there.uuid}
    return {"done": True, "payload": facts | {"created_at": there.created_at}}


def _wait(sentence: str) -> dict[str, Any]:
    return {"done": False, "lines": [sentence]}
