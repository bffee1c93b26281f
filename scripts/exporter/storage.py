"""What is near its limit on ONTAP, as Prometheus metrics: snapshots of volumes, space for caches of sites.

ONTAP is asked by a thread of its own, once a minute however often Prometheus scrapes: an ONTAP that does not answer
delays nobody, and shows as ``ontap_mlops_storage_up`` 0 with the last figures beside it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from ontap_mlops.ontap.client import Client
    from ontap_mlops.sites import Site

EVERY_S = 60.0
MOST = 500  # volumes of an SVM, those with most snapshots

log = logging.getLogger(__name__)
Labels = tuple[str, ...]

_HELP: dict[str, tuple[str, Labels]] = {
    "storage_up": ("1 if ONTAP answered the last time that it was asked.", ("ontap_conn_id", "svm")),
    "volume_snapshots": ("Snapshots of a volume.", ("ontap_conn_id", "svm", "volume", "dataset")),
    "volume_snapshots_limit": ("Snapshots that ONTAP keeps of a volume.", ()),
    "site_cache_budget_bytes": ("Space for cached dataset versions at a site (cache_bytes).", ("site",)),
    "site_cache_committed_bytes": ("Space that the cached dataset versions of a site may take.", ("site",)),
    "site_cache_used_bytes": ("Space that they take.", ("site",)),
    "site_caches": ("Cached dataset versions at a site.", ("site",)),
}


@dataclass
class Figures:
    """Values by metric and labels."""

    values: dict[tuple[str, Labels], float] = field(default_factory=dict)

    def put(self, metric: str, *labels: str, value: float) -> None:
        self.values[metric, labels] = value


Look = Callable[..., Figures]


class StorageCollector(Collector):
    """The figures of the last look. ``stop`` ends the thread that looks."""

    def __init__(self, every_s: float = EVERY_S) -> None:
        self.every_s = every_s
        self._places: dict[tuple[str, ...], Figures] = {}
        self._stopped = threading.Event()

    def start(self) -> StorageCollector:
        threading.Thread(target=self._look_again, daemon=True, name="storage").start()
        return self

    def stop(self) -> None:
        self._stopped.set()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        found = [figures.values for figures in [*self._places.values()]]
        for name, (text, labels) in _HELP.items():
            family = GaugeMetricFamily(f"ontap_mlops_{name}", text, labels=labels)
            for values in found:
                for (metric, told), value in values.items():
                    if metric == name:
                        family.add_metric(told, value)
            yield family

    def look(self) -> None:
        """Ask each SVM of a dataset and each site once; what nobody names any more is forgotten."""
        from ontap_mlops import registry, sites
        from ontap_mlops.ontap.snapshots import LIMIT

        homes: dict[tuple[str, str], dict[str, str]] = {}
        for dataset in registry.usable().values():
            homes.setdefault((dataset.ontap_conn_id, dataset.svm), {})[dataset.volume] = dataset.name
        known = sites.usable()
        wanted = {("home", *home) for home in homes} | {("site", name) for name in known} | {("all",)}
        for place in self._places.keys() - wanted:
            del self._places[place]
        self._places.setdefault(("all",), Figures()).put("volume_snapshots_limit", value=LIMIT)
        for (conn_id, svm), volumes in homes.items():
            self._told(("home", conn_id, svm), conn_id, svm, _snapshots, volumes)
        for site in known.values():
            self._told(("site", site.name), site.ontap_conn_id, site.svm, _caches, site)

    def _told(self, place: tuple[str, ...], conn_id: str, svm: str, look: Look, about: Any) -> None:
        from ontap_mlops.hooks.ontap import OntapHook

        figures, up = self._places.get(place, Figures()), 1.0
        try:
            hook = OntapHook(conn_id)
            with hook.client() as client:
                figures = look(client, conn_id, hook.svm(svm), about)
        except Exception as error:  # whatever it is, the other places are still told of
            log.warning("ONTAP of connection %s tells no figures: %s", conn_id, error)
            up = 0.0
        figures.put("storage_up", conn_id, svm, value=up)
        self._places[place] = figures

    def _look_again(self) -> None:
        while not self._stopped.is_set():
            try:
                self.look()
            except Exception as error:  # a file that is wrong; it may be right the next time
                log.warning("The storage's figures are those of before: %s", error)
            self._stopped.wait(self.every_s)


def _snapshots(client: Client, conn_id: str, svm: str, datasets: dict[str, str]) -> Figures:
    from ontap_mlops.ontap import snapshots

    figures = Figures()
    counted = sorted(snapshots.counts(client, svm=svm).items(), key=lambda each: -each[1])
    for volume, count in counted[:MOST]:
        figures.put("volume_snapshots", conn_id, svm, volume, datasets.get(volume, ""), value=count)
    return figures


def _caches(client: Client, conn_id: str, svm: str, site: Site) -> Figures:
    from ontap_mlops.ontap import dataset_caches

    cached = dataset_caches.list_cached(client, svm=svm)
    space, figures = dataset_caches.room(cached, site.cache_bytes), Figures()
    figures.put("site_cache_budget_bytes", site.name, value=space.budget_bytes)
    figures.put("site_cache_committed_bytes", site.name, value=space.committed_bytes)
    figures.put("site_cache_used_bytes", site.name, value=sum(each.cache.used_bytes for each in cached))
    figures.put("site_caches", site.name, value=len(cached))
    return figures
