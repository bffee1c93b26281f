"""What transfers really took, beside what was said of them; and what is learned from that."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ontap_mlops import records
from ontap_mlops.planning.plan import route
from ontap_mlops.planning.ways import NAMES, bytes_said, time_said

# Fewer bytes say more about beginning and ending a transfer than about the line.
LEAST_BYTES = 50_000_000
NEWEST = 10


@dataclass(frozen=True, kw_only=True)
class Record(records.Record):
    """One transfer: ``way`` is a name of ``ways.NAMES``; ``said_…`` what its plan had said, None without one.

    ``transfer`` tells it from others where the storage has a name for it.
    """

    source: str
    target: str
    way: str
    bytes: int
    seconds: float
    ended_at: str
    said_bytes: float | None = None
    said_s: float | None = None
    run: str = ""
    transfer: str = ""

    def __post_init__(self) -> None:
        """Raises ValueError for a way there is not, or for numbers that cannot be."""
        if self.way not in NAMES:
            raise ValueError(f"way is {self.way!r}; give one of {', '.join(NAMES)}")
        if self.bytes < 0 or self.seconds < 0:
            raise ValueError(f"{self.bytes} bytes in {self.seconds} s cannot be")

    @property
    def route(self) -> str:
        return route(self.source, self.target)


def learned(past: Iterable[Record], *, source: str, target: str) -> dict[str, float]:
    """Return bytes per second that each way reached on this route: the middle of its newest ten that were large."""
    rates: dict[str, list[tuple[str, float]]] = {}
    for record in past:
        if record.route == route(source, target) and record.bytes >= LEAST_BYTES and record.seconds > 0:
            rates.setdefault(record.way, []).append((record.ended_at, record.bytes / record.seconds))
    return {way: statistics.median([rate for _, rate in sorted(found)[-NEWEST:]]) for way, found in rates.items()}


def table(past: Iterable[Record]) -> str:
    """Return what was said and what really happened, newest first."""
    heads = ("ended", "route", "way", "bytes", "said", "took", "said", "speed")
    rows = [heads, *(_row(record) for record in sorted(past, key=lambda r: r.ended_at, reverse=True))]
    if len(rows) == 1:
        return "No transfer has been recorded yet."
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads))]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def sentence(record: Record) -> str:
    """Return what was moved, and in brackets what had been said of it."""
    said = "" if record.said_bytes is None else f" (the plan said {bytes_said(record.said_bytes)}"
    said += f" in {time_said(record.said_s)}" if said and record.said_s is not None else ""
    moved = f"{bytes_said(record.bytes)} in {time_said(record.seconds)}"
    return f"{record.way} from {record.source} to {record.target}, {moved}{said + ')' if said else ''}."


def read(values: Iterable[Any]) -> list[Record]:
    """Return the records among values that may be anything, such as the extras of asset events."""
    found = []
    for value in values:
        try:
            found.append(Record.from_json(value))
        except (TypeError, ValueError):
            continue
    return found


def _row(record: Record) -> tuple[str, ...]:
    speed = f"{record.bytes / record.seconds * 8 / 1e6:,.4g} Mbit/s" if record.seconds else ""
    said = "" if record.said_bytes is None else bytes_said(record.said_bytes)
    said_s = "" if record.said_s is None else time_said(record.said_s)
    took = (bytes_said(record.bytes), said, time_said(record.seconds), said_s)
    return (record.ended_at[:16].replace("T", " "), record.route, record.way, *took, speed)
