"""What use GPU projects make of the places whose schedulers know them, as Prometheus metrics.

Schedulers are asked by a thread of its own, twice a minute however often Prometheus scrapes: one that does not answer
delays nobody, and shows as ``ontap_mlops_gpu_scheduler_up`` 0 with the last figures beside it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from ontap_mlops.projects.use import Use

EVERY_S = 30.0
log = logging.getLogger(__name__)

_OF_PROJECTS = {
    "quota": "GPUs that a project is guaranteed.",
    "allocated": "GPUs that a project has.",
    "idle": "GPUs that a project has and nobody uses: the rest of one that is held for shares.",
    "over": "GPUs that a project has beyond its quota.",
    "waiting": "Workloads of a project that wait for GPUs.",
    "waited_for": "GPUs that they wait for.",
    "longest_wait_s": "Seconds for which the first of them has waited.",
}
_NAMES = {"over": "over_quota", "waited_for": "waited_for", "longest_wait_s": "longest_wait_seconds"}


class ProjectCollector(Collector):
    """The figures of the last look. ``stop`` ends the thread that looks."""

    def __init__(self, every_s: float = EVERY_S) -> None:
        self.every_s = every_s
        self._used: dict[str, Sequence[Use]] = {}
        self._up: dict[str, float] = {}
        self._gpus = 0
        self._stopped = threading.Event()

    def start(self) -> ProjectCollector:
        threading.Thread(target=self._look_again, daemon=True, name="projects").start()
        return self

    def stop(self) -> None:
        self._stopped.set()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        used, up = dict(self._used), dict(self._up)
        for fact, text in _OF_PROJECTS.items():
            name = f"ontap_mlops_gpu_project_{_NAMES.get(fact, fact)}"
            family = GaugeMetricFamily(name, text, labels=("place", "project"))
            for place, uses in used.items():
                for use in uses:
                    family.add_metric((place, use.project), getattr(use, fact))
            yield family
        gpus = GaugeMetricFamily("ontap_mlops_gpu_cluster_gpus", "GPUs of the cluster, as projects.yaml says.")
        if self._gpus:
            gpus.add_metric((), self._gpus)
        yield gpus
        family = GaugeMetricFamily(
            "ontap_mlops_gpu_scheduler_up", "1 if a place's scheduler answered the last time.", labels=("place",)
        )
        for place, value in up.items():
            family.add_metric((place,), value)
        yield family

    def look(self) -> None:
        """Ask the scheduler of each place that knows projects; without projects.yaml, none."""
        from ontap_mlops.compute import places
        from ontap_mlops.compute.workload import PlaceRefused
        from ontap_mlops.projects import config, use

        known = config.configured()
        found = places.places() if known else {}
        self._gpus = known.gpus if known else 0
        for gone in self._up.keys() - found.keys():
            self._up.pop(gone)
            self._used.pop(gone, None)
        for name, place in found.items():
            try:
                scheduler = place.projects()
            except PlaceRefused:  # it knows no projects
                continue
            try:
                self._used[name] = use.measured(known, scheduler.jobs()) if known else ()
                self._up[name] = 1.0
            except Exception as error:  # whatever it is, the other places are still told of
                log.warning("The scheduler of place %s tells no figures: %s", name, error)
                self._up[name] = 0.0

    def _look_again(self) -> None:
        while not self._stopped.is_set():
            try:
                self.look()
            except Exception as error:  # a file that is wrong; it may be right the next time
                log.warning("The projects' figures are those of before: %s", error)
            self._stopped.wait(self.every_s)
