"""The difference between what projects are to be and what a scheduler has, as steps that can be shown or made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ontap_mlops.projects.jobs import Job


class ProjectsRefused(ValueError):
    """A scheduler cannot have these projects as things are; the sentence says why and what to do."""


@dataclass(frozen=True)
class Change:
    """One step: ``sentence`` says it to a person, ``make`` does it."""

    sentence: str
    make: Callable[[], Any]


def make_all(changes: Sequence[Change], log: Callable[[str], Any]) -> None:
    """Make them in order, each told before it is made."""
    for change in changes:
        log(change.sentence)
        change.make()


class Scheduler(Protocol):
    """The projects on one scheduler."""

    def plan(self) -> list[Change]:
        """Return what is to be done; nothing where it has the projects. Raises ProjectsRefused."""

    def jobs(self) -> list[Job]:
        """Return every workload of these projects that waits or runs."""
