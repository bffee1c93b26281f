"""Reading a workload's log as it grows, line by line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from ontap_mlops.compute.workload import Runner

DASHBOARD = re.compile(r"\bdashboard:? (https?://\S+)", re.IGNORECASE)
"""How a program's log names a page that the program serves about itself."""

_WARNING = "WARNING: "

Position = Sequence[str | None]
"""The runner's cursor, and the line begun there: plain values, so that another process can go on reading."""


def show(log: Any, line: str) -> None:
    """Put a program's line into a task's log, as a warning where the program calls it one."""
    if line.startswith(_WARNING):
        log.warning("%s", line.removeprefix(_WARNING))
    else:
        log.info("%s", line)


class LogFollower:
    """Gives each line of a workload's log once, from ``position`` on."""

    def __init__(self, runner: Runner, name: str, position: Position = (None, "")) -> None:
        self.runner, self.name = runner, name
        self._cursor, self._begun = position[0], position[1] or ""

    @property
    def position(self) -> list[str | None]:
        return [self._cursor, self._begun]

    def lines(self, *, last: bool = False) -> Iterator[str]:
        """The lines finished since the last call; ``last`` also gives one without an end.

        Of a line that a progress bar rewrote, only the final state is given.
        """
        while True:
            text, after = self.runner.logs(self.name, self._cursor)
            if after == self._cursor:
                break
            self._cursor = after
            *whole, begun = (self._begun + text).split("\n")
            self._begun = _settled(begun) + "\r" * begun.endswith("\r")  # a bar rewrites its line a thousand times
            yield from map(_settled, whole)
        if last and self._begun:
            rest, self._begun = self._begun, ""
            yield _settled(rest)


def _settled(line: str) -> str:
    return line.rstrip("\r").rpartition("\r")[2]
