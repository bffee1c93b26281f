"""Named places to run programs, read from ``compute.yaml``: which there are, and a runner for each."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

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
# As Dask's own configuration is set by the environment.
_DASK_TLS = {"ca_file": "CA_FILE", "cert_file": "CLIENT__CERT", "key_file": "CLIENT__KEY"}


class Share(Section):
    """What of the machine one program may use. None leaves it to the program."""

    cpus: Annotated[float, Field(ge=0.1)] | None = None
    memory_gib: Annotated[float, Field(ge=0.1)] | None = None
    gpus: int = 0


class LocalPlace(Section):
    """This machine. Relative folders start at the folder of ``compute.yaml``.

    ``slots``: programs at once, as the size of the place's Airflow pool. ``pending_limit_s``: how long one may wait for
    room before it is offered to the next place named; None for ever. ``environment``: further variables for programs,
    which get little of the worker's own.
    """

    kind: Literal["local"]
    namespace_roots: dict[str, str] = {}
    python: str = ""
    working_directory: str = ""
    resources: Share = Share()
    grace_s: Annotated[float, Field(ge=0)] = 30.0
    keep_days: Annotated[float, Field(ge=0)] = 30.0
    slots: Annotated[int, Field(ge=1)] = 4
    pending_limit_s: Annotated[float, Field(ge=1)] | None = None
    environment: dict[str, str] = {}


class Tls(Section):
    """Files in PEM form with which programs and the scheduler of a Dask cluster prove who they are."""

    ca_file: str
    cert_file: str
    key_file: str


class DaskPlace(LocalPlace):
    """The program itself runs as at a local place; what it spreads over Dask's workers runs on the cluster."""

    kind: Literal["dask"]  # type: ignore[assignment]
    scheduler: Scheduler = ""
    tls: Tls | None = None
    workers: Annotated[int, Field(ge=1)] = 2
    memory_gib: Annotated[float, Field(ge=0.25)] = 4.0

    @model_validator(mode="after")
    def _check_tls(self) -> Self:
        secured = self.scheduler.startswith(("tls://", "wss://"))
        if secured and self.tls is None:
            raise ValueError(
                f"the scheduler {self.scheduler} asks for certificates; add tls: {{ca_file: ..., cert_file: ..., "
                "key_file: ...}}"
            )
        return self


Place = LocalPlace | DaskPlace


_Kind = Annotated[Place, Field(discriminator="kind")]


class _File(Section):
    places: dict[str, _Kind]


class _Value(Section):
    place: _Kind


def places() -> dict[str, Place]:
    """All places by name. Raises ConfigError with file and line."""
    return load(settings.config_dir() / "compute.yaml", _File).places


def names() -> list[str]:
    """Their names, in the file's order. Cheap: every task of a DAG asks when the DAG is parsed."""
    path = settings.config_dir() / "compute.yaml"
    facts = path.stat() if path.exists() else None
    return list(_names(path, facts and (facts.st_ino, facts.st_mtime_ns, facts.st_size)))


@lru_cache(maxsize=4)
def _names(path: Path, version: object) -> tuple[str, ...]:
    return tuple(places())


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
    found = place(given)
    return _dask(found) if isinstance(found, DaskPlace) else _local(found)


def title(given: str | Mapping[str, Any]) -> str:
    """What messages call a place."""
    return given if isinstance(given, str) else f"{given.get('kind', 'unknown')} (by value)"


def pool(name: str) -> str:
    """The Airflow pool of a place."""
    return f"compute_{name}"


def runners(given: Sequence[str | Mapping[str, Any]]) -> list[tuple[str | Mapping[str, Any], Runner]]:
    """The places, by name or by value, in the order in which to try them."""
    if not given:
        raise PlaceRefused("no place to run is named; name at least one, such as 'local'")
    return [(one, runner(one)) for one in given]


def _local(place: LocalPlace) -> LocalRunner:
    workloads, config = settings.workloads_dir().resolve(), _base()
    programs = (settings.programs_dir() or workloads).resolve()
    return LocalRunner(
        folder=workloads,
        namespace_roots={svm: (config / root).resolve() for svm, root in place.namespace_roots.items()},
        python=place.python or sys.executable,
        working_directory=(config / (place.working_directory or programs)).resolve(),
        cpus=place.resources.cpus,
        grace_s=place.grace_s,
        keep_days=place.keep_days,
        environment=place.environment,
    )


def _dask(place: DaskPlace) -> LocalRunner:
    """A cluster by address, or workers that the program starts on this machine and that end with it."""
    if place.scheduler:
        cluster = {"DASK_SCHEDULER_ADDRESS": place.scheduler, **_dask_tls(place.tls)}
    else:
        cluster = {"DASK_LOCAL_WORKERS": str(place.workers), "DASK_LOCAL_MEMORY": f"{place.memory_gib:g}GiB"}
    local = _local(place)
    return replace(local, environment={**local.environment, **cluster})


def _dask_tls(tls: Tls | None) -> dict[str, str]:
    config = _base()
    files = tls.model_dump() if tls else {}
    return {f"DASK_DISTRIBUTED__COMM__TLS__{_DASK_TLS[key]}": str(config / file) for key, file in files.items()}


def _base() -> Path:
    """Where relative folders start. A place by value works without a folder of configuration."""
    return settings.config_dir().resolve() if settings.has_config_dir() else Path.cwd()
