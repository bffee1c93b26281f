"""What is refused on volumes of a kind, said by the room that has the kind and asked by those that act on volumes.

A cache has no snapshots, a mirror's destination is not written, a SnapLock volume is not deleted: the rooms of volumes
and snapshots know none of these; each kind registers its rules here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

# World and volume record. The world has the data plane, so it cannot be named here.
Rule = Callable[[Any, dict[str, Any]], None]

ACTS = (
    "snapshot.create",
    "snapshot.modify",
    "snapshot.delete",
    "restore",  # to a snapshot
    "clone",  # of which the volume is the parent
    "split",
    "modify",
    "delete",
    "write",  # files, by whoever
    "read",  # files, by whoever
)
_RULES: dict[str, list[Rule]] = defaultdict(list)


def rule(*acts: str) -> Callable[[Rule], Rule]:
    """Register a function (world, volume) that raises an ``OntapError`` where one of these acts is refused."""
    for act in acts:
        if act not in ACTS:
            raise ValueError(f"{act!r} is none of {', '.join(ACTS)}")

    def register(check: Rule) -> Rule:
        for act in acts:
            _RULES[act].append(check)
        return check

    return register


def check(act: str, world: Any, volume: dict[str, Any]) -> None:
    """Raise what the first rule against the act raises."""
    for refused in _RULES[act]:
        refused(world, volume)
