"""What use GPU projects make of the places whose schedulers know them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from scripts.exporter.looking import Figures, Look, Told

if TYPE_CHECKING:
    from ontap_mlops.projects.config import Projects as Known

_LABELS = ("place", "project")
_NAMES = {"over": "over_quota", "longest_wait_s": "longest_wait_seconds"}
_OF_PROJECTS = {
    "quota": "GPUs that a project is guaranteed.",
    "allocated": "GPUs that a project has.",
    "idle": "GPUs that a project has and nobody uses: the rest of one that is held for shares.",
    "over": "GPUs that a project has beyond its quota.",
    "waiting": "Workloads of a project that wait for GPUs.",
    "waited_for": "GPUs that they wait for.",
    "longest_wait_s": "Seconds for which the first of them has waited.",
}


def _name(fact: str) -> str:
    return f"gpu_project_{_NAMES.get(fact, fact)}"


class Projects:
    """The schedulers of the places that know projects; without projects.yaml, none is asked."""

    kind = "scheduler"
    every_s = 30.0
    kept_looks = 10
    metrics: Mapping[str, Told] = {
        **{_name(fact): Told(text, _LABELS) for fact, text in _OF_PROJECTS.items()},
        "gpu_cluster_gpus": Told("GPUs of the cluster of a place, as projects.yaml says.", ("place",)),
    }

    def sources(self) -> Mapping[str, Look]:
        from ontap_mlops.compute import places
        from ontap_mlops.compute.workload import PlaceRefused
        from ontap_mlops.projects import config

        known = config.configured()
        found: dict[str, Look] = {}
        if known is None:
            return found
        for name, place in places.places().items():
            try:
                found[name] = partial(_look, name, place.projects(), known)
            except PlaceRefused:  # it knows no projects
                continue
            except Exception as error:  # whatever it is, the other places are still told of
                found[name] = partial(_unreachable, error)
        return found


def _unreachable(error: Exception) -> Figures:
    raise error


def _look(place: str, scheduler: Any, known: Known) -> Figures:
    from ontap_mlops.projects import use

    figures = Figures()
    figures.put("gpu_cluster_gpus", place, value=known.gpus)
    for each in use.measured(known, scheduler.jobs()):
        for fact in _OF_PROJECTS:
            figures.put(_name(fact), place, each.project, value=getattr(each, fact))
    return figures
