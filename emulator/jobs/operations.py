"""The table of what jobs can do, by name, so that a job found unfinished after a kill can be done again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# World and arguments. The world has the jobs, so it cannot be named here.
Work = Callable[[Any, dict[str, Any]], None]
OPERATIONS: dict[str, Work] = {}


def operation(name: str) -> Callable[[Work], Work]:
    """Register a function (world, args) under a name.

    It may be killed anywhere and is then run again from the start with the same args, so it must recognise what is
    already done. What it raises as `OntapError` becomes the job's error.
    """

    def register(work: Work) -> Work:
        OPERATIONS[name] = work
        return work

    return register
