"""GPU projects: what ``projects.yaml`` says, as checked objects.

A project's quota is guaranteed whatever the state of the cluster; GPUs that are idle are shared by the over-quota
weights, and what runs on them gives way to quotas.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from ontap_mlops import settings
from ontap_mlops.config_file import ConfigError, Section, Texts, load, shaped, state

_NAME = r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?"
Name = Annotated[str, shaped(_NAME, "up to 40 of a-z, 0-9 and -, a letter first and no - at the end")]
Limit = Annotated[float, Field(gt=0)]


class Training(Section):
    """What holds for unattended workloads: ``nodes`` are labels of the nodes they run on; empty for any."""

    nodes: dict[str, str] = {}


class Interactive(Training):
    """What holds for workloads that serve a person; ``time_limit_s`` ends one that has no limit of its own."""

    time_limit_s: Limit = 8 * 3600.0


class Entry(Section):
    """One entry of ``projects.yaml``, below its name.

    ``quota`` and ``limit`` (with what is beyond the quota; None for no limit) are in GPUs. ``over_quota_weight`` is the
    project's part of idle GPUs, its quota if not given. Of two projects that want idle GPUs, the one of higher
    ``priority`` comes first. ``members`` are users as the scheduler knows them; none: whoever the place submits as.
    """

    quota: Annotated[int, Field(ge=0)]
    over_quota_weight: Limit | None = None
    priority: Annotated[int, Field(ge=0, le=1000)] = 100
    limit: Annotated[int, Field(ge=1)] | None = None
    training: Training = Training()
    interactive: Interactive = Interactive()
    members: Texts = ()
    description: str = ""

    @model_validator(mode="after")
    def _check_limit(self) -> Self:
        if self.limit is not None and self.limit < self.quota:
            raise ValueError(
                f"limit is {self.limit}, less than the quota of {self.quota} GPUs; raise it or leave it out"
            )
        return self

    @property
    def weight(self) -> float:
        return self.over_quota_weight or float(self.quota or 1)

    def nodes(self, interactive: bool) -> dict[str, str]:
        return self.interactive.nodes if interactive else self.training.nodes


class Project(Entry):
    name: Name


class Projects(Section):
    """The whole file: ``gpus`` are those of the cluster, to which the quotas must add up."""

    gpus: Annotated[int, Field(ge=1)]
    projects: dict[Name, Entry]

    @model_validator(mode="after")
    def _check_sum(self) -> Self:
        quotas = {name: project.quota for name, project in self.projects.items()}
        if quotas and sum(quotas.values()) != self.gpus:
            told = " + ".join(f"{quota} ({name})" for name, quota in quotas.items())
            raise ValueError(
                f"the quotas add up to {sum(quotas.values())} GPUs and the cluster has {self.gpus}: {told}; every GPU "
                "is to be guaranteed to one project, so change quotas or gpus"
            )
        return self

    def all(self) -> list[Project]:
        return [Project(name=name, **entry.model_dump()) for name, entry in self.projects.items()]

    def find(self, name: str) -> Project:
        """Raises ConfigError, naming those there are."""
        if name not in self.projects:
            raise ConfigError(
                f"there is no GPU project {name!r} in {path()}; the projects there are: "
                f"{', '.join(self.projects) or 'none'}"
            )
        return Project(name=name, **self.projects[name].model_dump())


def path() -> Path:
    return settings.config_dir() / "projects.yaml"


def projects() -> Projects:
    """The file's projects. Raises ConfigError with file and line, also where there is no file."""
    return load(path(), Projects)


def configured() -> Projects | None:
    """The same, or None where there is no file: projects are optional. Cheap to ask often."""
    if not settings.has_config_dir() or not path().exists():
        return None
    return _read(path(), state(path()))


@lru_cache(maxsize=4)
def _read(file: Path, state: int) -> Projects:
    return load(file, Projects)


def names() -> list[str]:
    """In the file's order; none where there is no file."""
    known = configured()
    return list(known.projects) if known else []
