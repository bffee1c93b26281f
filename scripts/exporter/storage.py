"""What lies on ONTAP: dataset versions, snapshots by volume, space, clones and what sites have cached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from scripts.exporter.looking import Figures, Look, Told

if TYPE_CHECKING:
    from ontap_mlops.ontap.client import Client
    from ontap_mlops.ontap.dataset_caches import Cached
    from ontap_mlops.ontap.volumes import Volume
    from ontap_mlops.registry import Dataset
    from ontap_mlops.sites import Site

MOST = 500  # volumes of an SVM, those with most snapshots

_SVM = ("ontap_conn_id", "svm")
_CACHE = ("site", "dataset", "version")


class Homes:
    """The SVMs that datasets live on. ``version_bytes`` are those of the versions seen last, by dataset and id."""

    kind = "ontap"
    every_s = 60.0
    kept_looks = 10
    metrics: Mapping[str, Told] = {
        "volume_snapshots": Told("Snapshots of a volume.", (*_SVM, "volume", "dataset")),
        "volume_snapshots_limit": Told("Snapshots that ONTAP keeps of a volume.", _SVM),
        "dataset_versions": Told("Versions of a dataset.", ("dataset",)),
        "dataset_newest_version_timestamp_seconds": Told(
            "When the newest version was made, by ONTAP's clock.", ("dataset",)
        ),
        "dataset_newest_version_bytes": Told("Bytes of the files of the newest version.", ("dataset",)),
        "dataset_used_bytes": Told("Space that the dataset's volume takes, its snapshots included.", ("dataset",)),
        "dataset_size_bytes": Told("Size of the dataset's volume.", ("dataset",)),
        "clones": Told("FlexClones that this project made, by what for.", (*_SVM, "purpose")),
        "workspaces_kept": Told("Workspaces that failed runs keep.", _SVM),
        "workspace_oldest_kept_timestamp_seconds": Told("Since when the oldest of them is kept.", _SVM),
    }

    def __init__(self) -> None:
        self.version_bytes: dict[tuple[str, str], int] = {}

    def sources(self) -> Mapping[str, Look]:
        from ontap_mlops import registry

        homes: dict[tuple[str, str], list[Dataset]] = {}
        for dataset in registry.usable().values():
            homes.setdefault((dataset.ontap_conn_id, dataset.svm or ""), []).append(dataset)
        return {f"{conn_id}/{svm}": partial(self._look, conn_id, svm, here) for (conn_id, svm), here in homes.items()}

    def _look(self, conn_id: str, svm: str, datasets: Sequence[Dataset]) -> Figures:
        from ontap_mlops.hooks.ontap import OntapHook
        from ontap_mlops.ontap import snapshots, volumes

        figures, hook = Figures(), OntapHook(conn_id)
        place = (conn_id, hook.svm(svm))
        with hook.client() as client:
            there = {volume.name: volume for volume in volumes.list_volumes(client, svm=place[1])}
            named = {dataset.volume: dataset.name for dataset in datasets}
            counted = sorted(snapshots.counts(client, svm=place[1]).items(), key=lambda each: -each[1])
            for volume, count in counted[:MOST]:
                figures.put("volume_snapshots", *place, volume, named.get(volume, ""), value=count)
            figures.put("volume_snapshots_limit", *place, value=snapshots.LIMIT)
            for dataset in datasets:
                self._versions(figures, client, place[1], dataset)
                _space(figures, dataset, there.get(dataset.volume))
        _clones(figures, place, list(there.values()))
        return figures

    def _versions(self, figures: Figures, client: Client, svm: str, dataset: Dataset) -> None:
        from ontap_mlops.ontap import dataset_versions

        adopt = dataset_versions.Adoption(*dataset.adopted)
        found = dataset_versions.list_versions(
            client, svm=svm, volume=dataset.volume, dataset=dataset.name, adopt=adopt
        )
        figures.put("dataset_versions", dataset.name, value=len(found))
        self.version_bytes.update({(dataset.name, version.id): version.bytes for version in found})
        if found:
            made = dataset_versions.when(found[-1]).timestamp()
            figures.put("dataset_newest_version_timestamp_seconds", dataset.name, value=made)
            figures.put("dataset_newest_version_bytes", dataset.name, value=found[-1].bytes)


class Sites:
    """The other sites. Warmth needs the bytes of the versions, as the homes tell them."""

    kind = "site"
    every_s = 60.0
    kept_looks = 10
    metrics: Mapping[str, Told] = {
        "site_cache_budget_bytes": Told("Space for cached dataset versions at a site (cache_bytes).", ("site",)),
        "site_cache_committed_bytes": Told("Space that the cached dataset versions of a site may take.", ("site",)),
        "site_cache_used_bytes": Told("Space that they take.", ("site",)),
        "site_caches": Told("Cached dataset versions at a site.", ("site",)),
        "cache_warmth_ratio": Told(
            "Share of a cached version's bytes that the cache holds; data that ONTAP compresses shows as less.", _CACHE
        ),
        "cache_last_use_timestamp_seconds": Told("When a cached version was last said to be used.", _CACHE),
        "cache_requested_blocks": Told("Blocks that clients have asked a cache for.", _CACHE, counter=True),
        "cache_missed_blocks": Told(
            "Blocks of them that the cache had to fetch from its origin.", _CACHE, counter=True
        ),
    }

    def __init__(self, homes: Homes) -> None:
        self.homes = homes

    def sources(self) -> Mapping[str, Look]:
        from ontap_mlops import sites

        return {name: partial(self._look, site) for name, site in sites.usable().items()}

    def _look(self, site: Site) -> Figures:
        from ontap_mlops.hooks.ontap import OntapHook
        from ontap_mlops.ontap import caches, dataset_caches

        figures, hook = Figures(), OntapHook(site.ontap_conn_id)
        svm = hook.svm(site.svm)
        with hook.client() as client:
            cached = dataset_caches.list_cached(client, svm=svm)
            read = caches.reads(client, svm=svm) if cached else {}
        space = dataset_caches.room(cached, site.cache_bytes)
        figures.put("site_cache_budget_bytes", site.name, value=space.budget_bytes)
        figures.put("site_cache_committed_bytes", site.name, value=space.committed_bytes)
        figures.put("site_cache_used_bytes", site.name, value=sum(each.cache.used_bytes for each in cached))
        figures.put("site_caches", site.name, value=len(cached))
        for each in cached:
            self._cache(figures, site.name, each)
            if (blocks := read.get(each.cache.uuid)) is not None:
                figures.put("cache_requested_blocks", *_labels(site.name, each), value=blocks.requested)
                figures.put("cache_missed_blocks", *_labels(site.name, each), value=blocks.missed)
        return figures

    def _cache(self, figures: Figures, site: str, cached: Cached) -> None:
        labels = _labels(site, cached)
        figures.put("cache_last_use_timestamp_seconds", *labels, value=cached.used.timestamp())
        size, used = self.homes.version_bytes.get((cached.dataset, cached.version_id)), cached.cache.volume.used_bytes
        if size and used is not None:
            figures.put("cache_warmth_ratio", *labels, value=min(1.0, used / size))


def _labels(site: str, cached: Cached) -> tuple[str, str, str]:
    return site, cached.dataset, cached.version_id


def _space(figures: Figures, dataset: Dataset, volume: Volume | None) -> None:
    """Nothing of a volume that is not made yet, and nothing that ONTAP did not tell."""
    if volume is None:
        return
    for metric, value in (("dataset_used_bytes", volume.used_bytes), ("dataset_size_bytes", volume.size_bytes)):
        if value is not None:
            figures.put(metric, dataset.name, value=value)


def _clones(figures: Figures, place: tuple[str, str], volumes: Sequence[Volume]) -> None:
    from ontap_mlops.ontap import workspaces

    kept = [each for volume in volumes if (each := workspaces.as_kept(volume)) is not None]
    figures.put("workspaces_kept", *place, value=len(kept))
    if kept:
        oldest: datetime = min(each.since for each in kept)
        figures.put("workspace_oldest_kept_timestamp_seconds", *place, value=oldest.timestamp())
    for purpose in ("run", "failed run", "cache origin", "other"):
        figures.put("clones", *place, purpose, value=0)
    for volume in volumes:
        if volume.is_clone and volume.is_ours:
            figures.add("clones", *place, _purpose(volume))


def _purpose(clone: Volume) -> str:
    from ontap_mlops.ontap import dataset_caches, workspaces

    if workspaces.as_kept(clone) is not None:
        return "failed run"
    if workspaces.as_used(clone) is not None:
        return "run"
    return "cache origin" if dataset_caches.is_origin(clone) else "other"
