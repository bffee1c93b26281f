"""Reading a workload's log as it grows, line by line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from ontap_mlops.compute.workload import Runner

DASHBOARD = re.compile(r"\bdashboard:? (https?://\S+)", re.IGNORECASE)
"""How a program's log names a page that the program serves about itself."""

_WARNING = "WARNING: "

_CODES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
"""A terminal's commands: colours, movements, titles."""
_ERASED = re.compile(r"\x1b\[[0-2]?K")
_STATES = 2000  # characters of a line without an end that are kept, from a whole state on
_ESCAPED = {code: repr(chr(code))[1:-1] for code in (*range(9), *range(10, 32), *range(127, 160))}

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

        Of a line that a progress bar rewrote, only the final state is given; other control characters are shown.
        """
        while True:
            text, after = self.runner.logs(self.name, self._cursor)
            if after == self._cursor:
                break
            self._cursor = after
            *whole, begun = (self._begun + text).split("\n")
            self._begun = _kept(begun)
            yield from map(_settled, whole)
        if last and self._begun:
            rest, self._begun = self._begun, ""
            yield _settled(rest)


def _settled(line: str) -> str:
    """What a terminal would show at last, in characters that a log can hold.

    Text after a carriage return takes the place of what stood there, as a bar does, which erases it or is no shorter;
    where it does neither, the return is part of what is told, such as the end of a row that is shown by example.
    """
    shown = before = ""
    for state in line.rstrip("\r").split("\r"):
        covers = _ERASED.search(state) or len(_plain(state)) >= len(_plain(before))
        shown, before = state if covers else f"{shown}\\r{state}", state
    return _plain(shown).translate(_ESCAPED)


def _kept(begun: str) -> str:
    """A line without an end, less its older states: a bar rewrites it a thousand times, and the position is stored."""
    cut = begun.find("\r", max(0, len(begun) - _STATES)) if len(begun) > _STATES else -1
    return begun[cut + 1 :]


def _plain(text: str) -> str:
    return _CODES.sub("", text)
