"""Named places to run programs, read from ``compute.yaml``: which there are, and a runner for each."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field

from ontap_mlops import settings
from ontap_mlops.compute.local import LocalRunner
from ontap_mlops.compute.workload import PlaceRefused, Runner
from ontap_mlops.config_file import Section, load, shaped

Scheduler = Annotated[
    str,
    shaped(
        r"((tcp|tls|ws|wss)://[^/\s]+:\d+)?",
        "give the scheduler's address, like tcp://dask-scheduler:8786, or leave it out",
    ),
]


class Share(Section):
    """What of the machine one program may use. None leaves it to the program."""

    cpus: Annotated[float, Field(ge=0.1)] | None = None
    memory_gib: Annotated[float, Field(ge=0.1)] | None = None
    gpus: int = 0


class LocalPlace(Section):
    """This machine. Relative folders start at the folder of ``compute.yaml``."""

    kind: Literal["local"]
    namespace_roots: dict[str, str] = {}
    python: str = ""
    working_directory: str = ""
    resources: Share = Share()
    grace_s: Annotated[float, Field(ge=0)] = 30.0
    keep_days: Annotated[float, Field(ge=0)] = 30.0


class DaskPlace(LocalPlace):
    """The program itself runs as at a local place; what it spreads over Dask's workers runs on the cluster."""

    kind: Literal["dask"]  # type: ignore[assignment]
    scheduler: Scheduler = ""
    workers: Annotated[int, Field(ge=1)] = 2
    memory_gib: Annotated[float, Field(ge=0.25)] = 4.0


Place = LocalPlace | DaskPlace


class _File(Section):
    places: dict[str, Annotated[Place, Field(discriminator="kind")]]


def places() -> dict[str, Place]:
    """All places by name. Raises ConfigError with file and line."""
    return load(settings.config_dir() / "compute.yaml", _File).places


def runner(name: str) -> Runner:
    """Raises PlaceRefused, with the known names, when there is no such place."""
    known = places()
    if name not in known:
        raise PlaceRefused(
            f"there is no place named {name!r} in {settings.config_dir() / 'compute.yaml'}; "
            f"the places there are: {', '.join(sorted(known))}"
        )
    place = known[name]
    return _dask(place) if isinstance(place, DaskPlace) else _local(place)


def runners(names: str | Sequence[str]) -> list[tuple[str, Runner]]:
    """The places named, in the order in which to try them."""
    wanted = [names] if isinstance(names, str) else list(names)
    if not wanted:
        raise PlaceRefused("no place to run is named; name at least one, such as 'local'")
    return [(name, runner(name)) for name in wanted]


def _local(place: LocalPlace) -> LocalRunner:
    workloads, config = settings.workloads_dir().resolve(), settings.config_dir().resolve()
    programs = (settings.programs_dir() or workloads).resolve()
    return LocalRunner(
        folder=workloads,
        namespace_roots={svm: (config / root).resolve() for svm, root in place.namespace_roots.items()},
        python=place.python or sys.executable,
        working_directory=(config / (place.working_directory or programs)).resolve(),
        cpus=place.resources.cpus,
        grace_s=place.grace_s,
        keep_days=place.keep_days,
    )


def _dask(place: DaskPlace) -> LocalRunner:
    """A cluster by address, or workers that the program starts on this machine and that end with it."""
    if place.scheduler:
        return replace(_local(place), environment={"DASK_SCHEDULER_ADDRESS": place.scheduler})
    size = {"DASK_LOCAL_WORKERS": str(place.workers), "DASK_LOCAL_MEMORY": f"{place.memory_gib:g}GiB"}
    return replace(_local(place), environment=size)
