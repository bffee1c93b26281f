"""Named places to run programs, read from ``config/compute.yaml``: which there are, and a runner for each."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ontap_mlops import settings
from ontap_mlops.compute.local import LocalRunner
from ontap_mlops.compute.workload import PlaceRefused, Runner
from ontap_mlops.config_file import Named, Number, Section, Text, Variant, Whole, load

_RESOURCES = Section({"cpus": Number(minimum=0.1), "memory_gib": Number(minimum=0.1), "gpus": Whole(default=0)})
_LOCAL = Section(
    {
        "namespace_roots": Named(Text()),
        "python": Text(),
        "working_directory": Text(),
        "resources": Section(
            {"cpus": Number(minimum=0.1), "memory_gib": Number(minimum=0.1), "gpus": Whole(default=0)}
        ),
        "grace_s": Number(default=30.0, minimum=0),
        "keep_days": Number(default=30.0, minimum=0),
    }
)
# The program itself runs as at a local place; what it spreads over Dask's workers runs on the cluster.
_DASK = Section(
    {
        **_LOCAL.keys,
        "scheduler": Text(
            pattern=r"((tcp|tls|ws|wss)://[^/\s]+:\d+)?",
            shape="give the scheduler's address, like tcp://dask-scheduler:8786, or leave it out",
        ),
        "workers": Whole(default=2, minimum=1),
        "memory_gib": Number(default=4.0, minimum=0.25),
    }
)
SCHEMA = Section({"places": Named(Variant("kind", {"local": _LOCAL, "dask": _DASK}), required=True)})


def places() -> dict[str, dict[str, Any]]:
    """All places by name. Raises ConfigError with file and line."""
    return load(settings.config_dir() / "compute.yaml", SCHEMA)["places"]


def runner(name: str) -> Runner:
    """Raises PlaceRefused, with the known names, when there is no such place."""
    known = places()
    if name not in known:
        raise PlaceRefused(
            f"there is no place named {name!r} in {settings.config_dir() / 'compute.yaml'}; "
            f"the places there are: {', '.join(sorted(known))}"
        )
    return _RUNNERS[known[name]["kind"]](known[name])


def runners(names: str | Sequence[str]) -> list[tuple[str, Runner]]:
    """The places named, in the order in which to try them."""
    wanted = [names] if isinstance(names, str) else list(names)
    if not wanted:
        raise PlaceRefused("no place to run is named; name at least one, such as 'local'")
    return [(name, runner(name)) for name in wanted]


def _local(place: dict[str, Any]) -> LocalRunner:
    workloads, config = settings.workloads_dir().resolve(), settings.config_dir().resolve()
    programs = settings.programs_dir() or workloads
    return LocalRunner(
        folder=workloads,
        namespace_roots={svm: (config / root).resolve() for svm, root in place["namespace_roots"].items()},
        python=place["python"] or sys.executable,
        working_directory=(config / (place["working_directory"] or programs.resolve())).resolve(),
        cpus=place["resources"]["cpus"],
        grace_s=place["grace_s"],
        keep_days=place["keep_days"],
    )


def _dask(place: dict[str, Any]) -> LocalRunner:
    """A cluster by address, or workers that the program starts on this machine and that end with it."""
    if place["scheduler"]:
        return replace(_local(place), environment={"DASK_SCHEDULER_ADDRESS": place["scheduler"]})
    size = {"DASK_LOCAL_WORKERS": str(place["workers"]), "DASK_LOCAL_MEMORY": f"{place['memory_gib']:g}GiB"}
    return replace(_local(place), environment=size)


_RUNNERS = {"local": _local, "dask": _dask}
