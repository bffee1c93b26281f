"""Service levels: what ``service_levels.yaml`` says, as checked objects."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from ontap_mlops.config_entries import Catalog
from ontap_mlops.config_file import Section, Texts, shaped

NAME = AfterValidator(lambda name: name)
_Text = Annotated[str, shaped(r"\S+", "one name without blanks")]
_COOLING = ("snapshot_only", "auto")


class Entry(Section):
    """One entry of ``service_levels.yaml``, below its name.

    ``tiering`` None leaves the volume's policy; ``aggregates`` are names, with ``*`` for any part, empty for all.
    """

    qos_policy: _Text
    description: str = ""
    tiering: Literal["none", "snapshot_only", "auto", "all"] | None = None
    cooling_days: Annotated[int, Field(ge=2, le=183)] | None = None
    aggregates: Texts = ()
    may_move: bool = False

    @model_validator(mode="after")
    def _days_go_with_the_policy(self) -> Entry:
        if self.cooling_days is not None and self.tiering not in _COOLING:
            raise ValueError(f"cooling_days need tiering {' or '.join(_COOLING)}, not {self.tiering}")
        return self


class ServiceLevel(Entry):
    name: str


_FILE = Catalog("service_levels.yaml", "service_levels", "service level", Entry, ServiceLevel, NAME, optional=True)


def levels(path: Path | None = None) -> dict[str, ServiceLevel]:
    """Every level by name. Raises ConfigError with file, line and the allowed keys where any entry is wrong."""
    return _FILE.all(path)


def usable(path: Path | None = None) -> dict[str, ServiceLevel]:
    """Every level whose entry is right: a mistake in one takes no other from a DAG's form."""
    return _FILE.usable(path)


def level(name: str) -> ServiceLevel:
    """Raises ConfigError where its entry is wrong, and ValueError, naming the known ones, where there is none."""
    return _FILE.one(name)
