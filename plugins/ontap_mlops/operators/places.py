"""What DAGs say about places to run: the form that names them, and the pools in which tasks wait for them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from airflow.sdk import Param

from ontap_mlops import settings
from ontap_mlops.compute import places, rendering
from ontap_mlops.compute.kinds.kubernetes.fields import KubernetesFields
from ontap_mlops.compute.workload import PlaceRefused
from ontap_mlops.config_file import ConfigError
from ontap_mlops.projects import config

log = logging.getLogger(__name__)


def places_param(default: str | list[str] | None = None, **schema: Any) -> Param:
    """Return a Param that names one or several places of config/compute.yaml, tried in the order chosen.

    ``compute="{{ params.NAME }}"`` takes it as it is. Reads the file, so a DAG that uses it is parsed where it is.

    :param default: name or names; the first place of the file if not given.
    :param schema: further fields of the Param, such as ``title`` and ``section``.
    """
    known = known_places()
    names = rendering.places(default) if default else known[:1]
    fields: dict[str, Any] = {
        "title": "Places to run",
        "description": "Tried in this order: the first that has room runs the program.",
        **schema,
    }
    items = {"type": "string", "enum": known}
    return Param(names, type="array", items=items, examples=known, minItems=1, uniqueItems=True, **fields)


def known_places() -> list[str]:
    """Return the names of config/compute.yaml, in its order."""
    return places.names()


def kubernetes_places() -> list[str]:
    """Return the names of the places of kind kubernetes; none where config/compute.yaml is wrong.

    Whoever runs something says what is wrong with it.
    """
    try:
        known = places.places()
    except ConfigError as error:
        log.warning("No place on Kubernetes can be chosen: %s", error)
        return []
    return [name for name, place in known.items() if isinstance(place, KubernetesFields)]


def kubernetes_place(name: str) -> KubernetesFields:
    """Return what config/compute.yaml says of a place of kind kubernetes. Raises PlaceRefused for any other."""
    place = places.place(name)
    if not isinstance(place, KubernetesFields):
        known = ", ".join(kubernetes_places()) or "none"
        raise PlaceRefused(f"place {name!r} is of kind {place.kind}; those of kind kubernetes are: {known}")
    return place


def check(compute: Any) -> None:
    """Raise ValueError, when the DAG is parsed, for places that are not in config/compute.yaml, or for none at all.

    A template says nothing yet, and where there is no such file, nothing is known: then the task itself says so.
    """
    if not _is_plain(compute):
        return
    named = rendering.places(compute)
    if not named:
        raise ValueError("compute names no place to run; name at least one of config/compute.yaml, such as 'local'")
    file = settings.config_dir() / "compute.yaml" if settings.has_config_dir() else None
    if file is None or not file.exists():
        return
    known = known_places()
    wrong = [name for name in named if isinstance(name, str) and name not in known]
    if wrong:
        raise ValueError(
            f"compute names {' and '.join(map(repr, wrong))}, which {file} does not have; the places there are: "
            f"{', '.join(sorted(known))}"
        )


def _is_plain(compute: Any) -> bool:
    return isinstance(compute, str | list | tuple) and "{{" not in str(compute) and "{%" not in str(compute)


def known_projects() -> list[str]:
    """Return the names of config/projects.yaml, in its order; none where there is no such file, or it is wrong.

    Who runs something in a project, and `make projects`, say what is wrong with it.
    """
    try:
        return config.names()
    except ConfigError as error:
        log.warning("No GPU project can be chosen: %s", error)
        return []


def pool_of(compute: Any) -> str | None:
    """Return the Airflow pool for tasks at this place (the first of several); None where pools are not used.

    A template says nothing yet: it gets the pool of the first place in config/compute.yaml. A name that is not in the
    file gets none, since a task whose pool does not exist would never start and so never say what is wrong; nor does a
    place by value.
    """
    first = _first(compute) if settings.use_pools() else None
    return places.pool(first) if first else None


def queue_of(compute: Any) -> str | None:
    """Return the queue of the workers that reach this place (the first of several); None for the usual one.

    Of a template, and of names that are not in the file, as for ``pool_of``. A file that is missing or wrong has none:
    the task itself says so.
    """
    if not settings.has_config_dir():
        return None
    try:
        return places.queues().get(_first(compute) or "") or None
    except ConfigError:
        return None


def _first(compute: Any) -> str | None:
    if isinstance(compute, Mapping):
        return None
    known = known_places()
    first = rendering.places(compute)[:1] if _is_plain(compute) else known[:1]
    return next((name for name in first if name in known), None)
