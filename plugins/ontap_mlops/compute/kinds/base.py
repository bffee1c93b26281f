"""What every place has, whatever its kind."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, field_validator

from ontap_mlops import settings
from ontap_mlops.compute.workload import PlaceRefused, Resources, Runner, Workload
from ontap_mlops.config_file import Section
from ontap_mlops.projects import config as known_projects
from ontap_mlops.projects.changes import Scheduler


class Share(Section):
    """What one program gets that does not say what it needs. None leaves it to the program."""

    cpus: Annotated[float, Field(ge=0.1)] | None = None
    memory_gib: Annotated[float, Field(ge=0.1)] | None = None
    gpus: Annotated[float, Field(ge=0)] | None = None

    @field_validator("gpus")
    @classmethod
    def _whole_or_a_share(cls, gpus: float | None) -> float | None:
        return Resources(gpus=gpus).gpus


class BasePlace(Section):
    """An entry of ``compute.yaml``; a kind adds its own keys, and says in ``kind`` what it is called.

    ``slots``: programs at once, as the size of the place's Airflow pool. ``queue``: of which Celery workers take the
    tasks that run programs there; the usual one where it is empty. ``pending_limit_s``: how long one may wait for
    room before it is offered to the next place named; None for ever. ``environment``: further variables for programs,
    which get little of the worker's own. ``resources``, ``project`` and ``interactive_limit_s`` are for workloads that
    do not say what they need, whose they are, and when an interactive one ends.
    """

    keeps_ended: ClassVar[bool] = True
    """Whether what ended may stay at the place for a while, to be looked at."""

    slots: Annotated[int, Field(ge=1)] = 4
    queue: str = ""
    pending_limit_s: Annotated[float, Field(ge=1)] | None = None
    environment: dict[str, str] = {}
    resources: Share = Share()
    project: str | None = None
    interactive_limit_s: Annotated[float, Field(gt=0)] | None = None

    def runner(self) -> Runner:
        raise NotImplementedError

    def projects(self) -> Scheduler:
        """Return the GPU projects at its scheduler. Raises PlaceRefused where that knows none."""
        raise PlaceRefused(
            f"the scheduler of a place of kind {getattr(self, 'kind', '?')} knows no GPU projects; name a place of "
            "kind slurm, or one of kind kubernetes whose scheduler is kai or kueue"
        )

    def completed(self, workload: Workload) -> Workload:
        """Return it with what it leaves to the place and to its project.

        Raises PlaceRefused for an interactive one that nothing ends, and ConfigError for a project that is not known.
        """
        own = {key: value for key, value in dataclasses.asdict(workload.resources).items() if value is not None}
        named, known = workload.project or self.project, known_projects.configured()
        project = known.find(named) if named and known else None
        return dataclasses.replace(
            workload,
            resources=Resources(**{**self.resources.model_dump(), **own}),
            project=named,
            time_limit_s=self._interactive_limit(workload, project) if workload.interactive else workload.time_limit_s,
        )

    def _interactive_limit(self, workload: Workload, project: known_projects.Project | None) -> float:
        """Its own limit, but at most that of its project; that of the place where there is neither."""
        limits = [workload.time_limit_s, project.interactive.time_limit_s if project else None]
        given = [limit for limit in limits if limit is not None]
        if not given and self.interactive_limit_s is None:
            raise PlaceRefused(
                f"workload {workload.name} is interactive and nothing says when it ends: give it a time_limit or a "
                "project, or its place an interactive_limit_s in compute.yaml"
            )
        return min(given, default=self.interactive_limit_s or 0)


def base_folder() -> Path:
    """Where relative folders start. A place by value works without a folder of configuration."""
    return settings.config_dir().resolve() if settings.has_config_dir() else Path.cwd()
