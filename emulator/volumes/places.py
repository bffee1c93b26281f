"""On which aggregates a volume lies, and how much of it on each."""

from __future__ import annotations

from emulator.store import Record

FLEXGROUP = "flexgroup"


def is_flexgroup(record: Record) -> bool:
    return record.get("style") == FLEXGROUP


def aggregates_of(record: Record) -> list[str]:
    if not is_flexgroup(record):
        return [record["aggregate"]]
    return list(dict.fromkeys(each["aggregate"] for each in record["constituents"]))


def shares(record: Record, size: int) -> dict[str, int]:
    """What so many bytes of a volume take of each of its aggregates (names)."""
    if not is_flexgroup(record):
        return {record["aggregate"]: size}
    homes = [each["aggregate"] for each in record["constituents"]]
    return {name: size // len(homes) * homes.count(name) for name in aggregates_of(record)}
