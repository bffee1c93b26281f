"""What queues of every kind say of a project, and how a workload enters one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Queue:
    """One project: ``quota`` and ``limit`` (None for no limit) in GPUs; ``nodes`` are labels by kind of workload."""

    name: str
    quota: int
    weight: float
    priority: int = 100
    limit: int | None = None
    training_nodes: Mapping[str, str] = field(default_factory=dict)
    interactive_nodes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Entrance:
    """What the pods of one workload, and the Job they belong to, carry to be scheduled by their project's queue."""

    scheduler_name: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    node_selector: Mapping[str, str] = field(default_factory=dict)


def whole(number: float) -> int | float:
    """A number without its useless ``.0``, so that a manifest that went through the API compares equal."""
    return int(number) if number == int(number) else number


def differences(wanted: Any, found: Any) -> bool:
    """Whether an object lacks something of what is wanted; what the cluster has added by itself does not count."""
    if isinstance(wanted, Mapping):
        return not isinstance(found, Mapping) or any(
            differences(value, found.get(key)) for key, value in wanted.items()
        )
    if isinstance(wanted, Sequence) and not isinstance(wanted, str):
        if not isinstance(found, Sequence) or len(wanted) != len(found):
            return True
        return any(differences(one, other) for one, other in zip(wanted, found, strict=True))
    return wanted != found
