"""Named places to run programs, read from ``compute.yaml``: which there are, and a runner for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from ontap_mlops import settings
from ontap_mlops.compute.kinds.dask import DaskPlace
from ontap_mlops.compute.kinds.kubernetes.place import KubernetesPlace
from ontap_mlops.compute.kinds.local import LocalPlace
from ontap_mlops.compute.kinds.sagemaker import SageMakerPlace
from ontap_mlops.compute.kinds.slurm import SlurmPlace
from ontap_mlops.compute.workload import PlaceRefused, Runner
from ontap_mlops.config_file import Section, load, state

# A new kind is a file in kinds/ and its name here.
Place = LocalPlace | DaskPlace | KubernetesPlace | SlurmPlace | SageMakerPlace
_Kind = Annotated[Place, Field(discriminator="kind")]
POOL_PREFIX = "compute_"


class _File(Section):
    places: dict[str, _Kind]


class _Value(Section):
    place: _Kind


def places() -> dict[str, Place]:
    """All places by name. Raises ConfigError with file and line."""
    return load(settings.config_dir() / "compute.yaml", _File).places


def names() -> list[str]:
    """Their names, in the file's order. Cheap: every task of a DAG asks when the DAG is parsed."""
    return list(queues())


def queues() -> dict[str, str]:
    """The queue of each place by its name, "" for the usual one; as cheap."""
    path = settings.config_dir() / "compute.yaml"
    return _queues(path, state(path))


@lru_cache(maxsize=4)
def _queues(path: Path, state: int) -> dict[str, str]:
    return {name: place.queue for name, place in places().items()}


def place(given: str | Mapping[str, Any]) -> Place:
    """The place of this name, or the one that these values describe as an entry of the file would.

    Raises PlaceRefused, with the known names, when there is no such place, and ConfigError for wrong values.
    """
    if isinstance(given, Mapping):
        return _Value.of({"place": given}, "the place given by value").place
    known = places()
    if given not in known:
        raise PlaceRefused(
            f"there is no place named {given!r} in {settings.config_dir() / 'compute.yaml'}; "
            f"the places there are: {', '.join(sorted(known))}"
        )
    return known[given]


def runner(given: str | Mapping[str, Any]) -> Runner:
    """Raises as ``place`` does."""
    return place(given).runner()


def title(given: str | Mapping[str, Any]) -> str:
    """What messages call a place."""
    return given if isinstance(given, str) else f"{given.get('kind', 'unknown')} (by value)"


def pool(name: str) -> str:
    """The Airflow pool of a place."""
    return POOL_PREFIX + name


def runners(given: Sequence[str | Mapping[str, Any]]) -> list[tuple[str | Mapping[str, Any], Runner]]:
    """The places, by name or by value, in the order in which to try them."""
    if not given:
        raise PlaceRefused("no place to run is named; name at least one, such as 'local'")
    return [(one, runner(one)) for one in given]
