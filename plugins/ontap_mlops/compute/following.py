"""Reading a workload's log as it grows, line by line."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ontap_mlops.compute.workload import Runner

DASHBOARD = re.compile(r"\bdashboard:? (https?://\S+)", re.IGNORECASE)
"""How a program's log names a page that the program serves about itself."""


class LogFollower:
    """Gives each line of a workload's log once. ``offset`` is where the next read begins, in bytes."""

    def __init__(self, runner: Runner, name: str, offset: int = 0) -> None:
        self.runner, self.name, self.offset = runner, name, offset
        self._begun = ""

    def lines(self, *, last: bool = False) -> Iterator[str]:
        """The lines finished since the last call; ``last`` also gives one without an end.

        Of a line that a progress bar rewrote, only the final state is given.
        """
        while True:
            text, after = self.runner.logs(self.name, self.offset)
            if after == self.offset:
                break
            self.offset = after
            *whole, self._begun = (self._begun + text).split("\n")
            yield from map(_settled, whole)
        if last and self._begun:
            rest, self._begun = self._begun, ""
            yield _settled(rest)


def _settled(line: str) -> str:
    return line.rstrip("\r").rpartition("\r")[2]
