"""The choice among the ways, and how it is told."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ontap_mlops.planning.facts import Job
from ontap_mlops.planning.ways import FLEXCACHE, NAMES, Way, all_ways, bytes_said, time_said

# A cache needs its origin for all it does not hold: it has to save this part of a whole copy's bytes to be preferred.
CACHE_SAVES = 0.2


@dataclass(frozen=True)
class Plan:
    """All ways, the chosen one first, then the others that fit, then those that do not; ``unknown`` facts in words."""

    job: Job
    ways: tuple[Way, ...]
    unknown: tuple[str, ...]

    @property
    def chosen(self) -> Way | None:
        """The way to go; None when no way fits."""
        return self.ways[0] if self.ways and self.ways[0].fits else None

    def sentence(self) -> str:
        route = f"from {self.job.source.name} to {self.job.target.name}"
        if self.chosen is None:
            return f"No way fits {route}."
        way = self.chosen
        return (
            f"{way.name} {route}: {bytes_said(way.first_bytes)} at first ({time_said(way.first_s)}), "
            f"{bytes_said(way.daily_bytes)} each day ({time_said(way.daily_s)}), "
            f"{bytes_said(way.space_bytes)} at {self.job.target.name}."
            + (
                f" {way.first_do[0].upper()}{way.first_do[1:]}, with logins of cluster administrators."
                if way.first_do
                else ""
            )
        )

    def table(self) -> str:
        """Return the plan as lines of at most some hundred characters: the choice, each way, what is not known."""
        heads = ("way", "first", "takes", "each day", "takes", "space", "")
        rows = [heads, *(self._row(way) for way in self.ways)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(heads) - 1)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, [*widths, 0], strict=True)) for row in rows]
        return "\n".join([self.sentence(), *(line.rstrip() for line in lines), *self.unknown])

    def to_json(self) -> dict[str, Any]:
        """Return plain values: ``way`` (None when no way fits), ``sentence``, ``ways``, ``route``, ``unknown``."""
        return {
            "way": self.chosen.name if self.chosen else None,
            "sentence": self.sentence(),
            "route": route(self.job.source.name, self.job.target.name),
            "ways": [asdict(way) for way in self.ways],
            "unknown": list(self.unknown),
        }

    def _row(self, way: Way) -> tuple[str, ...]:
        costs = (bytes_said(way.first_bytes), time_said(way.first_s), bytes_said(way.daily_bytes))
        said = way.why_not or ("chosen" if way is self.ways[0] else self._behind(way))
        said += "; not peered yet" if way.first_do else ""
        return (way.name, *costs, time_said(way.daily_s), bytes_said(way.space_bytes), said)

    def _behind(self, way: Way) -> str:
        """Say why another was chosen before a way that fits too."""
        best, days = self.ways[0], self.job.days
        more = way.total(days) - best.total(days)
        if way.name == FLEXCACHE and more <= 0:
            return f"saves less than {CACHE_SAVES:.0%} of what {best.name} moves, and needs the origin for every miss"
        if more > 0:
            return f"moves {bytes_said(more)} more than {best.name} in {days:g} days"
        return f"moves as much as {best.name}, and needs more around it"


def plan(job: Job) -> Plan:
    """Return all ways for the job, the best first: the fewest bytes over ``job.days``, then the least to set up."""
    ways = sorted(all_ways(job), key=lambda way: (not way.fits, _weight(way, job), NAMES.index(way.name)))
    return Plan(job, tuple(ways), tuple(_unknown(job)))


def route(source: str, target: str) -> str:
    return f"{source} -> {target}"


def _weight(way: Way, job: Job) -> float:
    total = way.total(job.days)
    return total / (1 - CACHE_SAVES) if way.name == FLEXCACHE else total


def _unknown(job: Job) -> list[str]:
    said = []
    if job.change_bytes_a_day is None:
        said.append("How much changes each day is not known, and is taken as nothing: give change_bytes_a_day.")
    if job.link_mbps is None and not job.rates:
        said.append("How fast the line is, is not known, nor any transfer of the past: give link_mbps for times.")
    if job.both_on_ontap and job.peered is None and not job.same_cluster:
        said.append("Whether the clusters are peered is not known, and is taken for granted.")
    return said
