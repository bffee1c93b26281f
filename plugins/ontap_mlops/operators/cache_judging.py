"""Whether anybody needs a cached dataset version: asked where the dataset is at home, for whoever would remove it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from ontap_mlops import registry

if TYPE_CHECKING:
    from ontap_mlops.ontap.cache_eviction import Verdict
    from ontap_mlops.ontap.cache_uses import IsOver
    from ontap_mlops.ontap.client import Client
    from ontap_mlops.ontap.dataset_caches import Cached


def judge(
    there: Client,
    cached: Cached,
    known: Mapping[str, registry.Dataset],
    *,
    days: float,
    now: datetime,
    owner: str,
    is_over: IsOver,
    dry: bool,
) -> Verdict:
    """Remove the cache, or with ``dry`` only say so, where ``cache_eviction.judge`` knows that nobody needs it."""
    from ontap_mlops.hooks.ontap import OntapHook
    from ontap_mlops.ontap import cache_eviction

    dataset = known.get(cached.dataset)
    if dataset is None:
        why = "its dataset is not in datasets.yaml, so nobody can tell who uses it"
        return cache_eviction.Verdict(cached=cached, removed=False, why=why)
    with OntapHook(dataset.ontap_conn_id).client() as home:
        return cache_eviction.judge(home, there, cached, days=days, now=now, owner=owner, is_over=is_over, dry=dry)


def remove_left_origin(name: str, known: Mapping[str, registry.Dataset], is_over: IsOver) -> None:
    """Remove the clone of this name at any home, as ``remove_origin``: its cache is gone, and with it whose it was."""
    from ontap_mlops.hooks.ontap import OntapHook
    from ontap_mlops.ontap import dataset_caches

    for conn_id, svm in sorted({(dataset.ontap_conn_id, dataset.svm) for dataset in known.values()}):
        hook = OntapHook(conn_id)
        with hook.client() as home:
            dataset_caches.remove_origin(home, svm=hook.svm(svm), name=name, is_over=is_over)


def remove_origin(cached: Cached, known: Mapping[str, registry.Dataset], is_over: IsOver) -> bool:
    """Remove the clone at home that a cache showed, unless another site's cache shows it or a run is about to."""
    from ontap_mlops.hooks.ontap import OntapHook
    from ontap_mlops.ontap import dataset_caches

    dataset = known[cached.dataset]
    hook = OntapHook(dataset.ontap_conn_id)
    with hook.client() as home:
        return dataset_caches.remove_origin(home, svm=hook.svm(dataset.svm), name=cached.cache.name, is_over=is_over)
