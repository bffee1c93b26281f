"""The three published scenarios of fair sharing: what is submitted and deleted, and who then has how many GPUs.

TR-4858, sections 4.8 to 4.10: four teams with 4, 2, 2 and 8 of 16 GPUs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

QUOTAS = {"team-a": 4, "team-b": 2, "team-c": 2, "team-d": 8}


@dataclass(frozen=True)
class Submitted:
    name: str
    gpus: float
    interactive: bool = False

    @property
    def project(self) -> str:
        return f"team-{self.name[0]}"


@dataclass(frozen=True)
class Scenario:
    """``allocated`` GPUs and ``queued`` workloads by project, once ``submits`` are in and all of ``ends`` are out.

    ``section`` of the report. ``one_by_one``: each starts before the next is submitted.
    """

    section: str
    title: str
    submits: tuple[Submitted, ...]
    allocated: Mapping[str, float]
    queued: Mapping[str, int]
    ends: str | None = None
    one_by_one: bool = True


SCENARIOS = (
    Scenario(
        "4.8",
        "Idle GPUs are used beyond quotas",
        (
            Submitted("a-1-1-jupyter", 1, interactive=True),
            Submitted("a-1-g", 1),
            Submitted("a-2-gg", 2),
            Submitted("b-1-g06", 0.6, interactive=True),
            Submitted("b-2-g04", 0.4, interactive=True),
            Submitted("b-3-g", 1),
            Submitted("b-4-gg", 2),
            Submitted("c-1-g05", 0.5, interactive=True),
            Submitted("c-2-g03", 0.3, interactive=True),
            Submitted("c-3-g02", 0.2, interactive=True),
            Submitted("c-4-gg", 2),
            Submitted("c-5-g", 1),
            Submitted("d-1-gggg", 4),
        ),
        allocated={"team-a": 4, "team-b": 4, "team-c": 4, "team-d": 4},
        queued={},
    ),
    Scenario(
        "4.9",
        "A quota is claimed, and takes back what others use beyond theirs",
        (Submitted("d-2-gg", 2), Submitted("d-3-gg", 2)),
        allocated={"team-a": 4, "team-b": 2, "team-c": 2, "team-d": 8},
        queued={"team-b": 1, "team-c": 1},
    ),
    Scenario(
        "4.10",
        "Idle GPUs are shared in proportion to quotas",
        (Submitted("a-3-gg", 2), Submitted("a-4-gg", 2), Submitted("b-5-gg", 2), Submitted("c-6-gg", 2)),
        allocated={"team-a": 8, "team-b": 4, "team-c": 4, "team-d": 0},
        queued={"team-b": 1, "team-c": 1},
        ends="team-d",
        one_by_one=False,
    ),
)


def scenario(section: str) -> Scenario:
    """Raises ValueError, naming those there are."""
    for one in SCENARIOS:
        if one.section == section:
            return one
    raise ValueError(f"there is no published scenario {section!r}; there are {', '.join(s.section for s in SCENARIOS)}")


def submitted(last: Scenario) -> tuple[Submitted, ...]:
    """Return what is in once this scenario is: each goes on from those before it."""
    found: list[Submitted] = []
    for one in SCENARIOS[: SCENARIOS.index(last) + 1]:
        found = [*(each for each in found if each.project != one.ends), *one.submits]
    return tuple(found)
