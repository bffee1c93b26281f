"""How far a program is: a bar when a person watches, a line every few seconds when not."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

LINE_EVERY_S = 5.0
BAR_EVERY_S = 0.1
WARNING = "WARNING: "
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def say(text: str) -> None:
    """One line on stderr, at once. Nothing where another process of the same program says it (PROGRESS_QUIET)."""
    if not _is_quiet():
        print(text, file=sys.stderr, flush=True)


def warn(text: str) -> None:
    """As ``say``; a task that follows the program logs the line as a warning."""
    print(f"{WARNING}{text}", file=sys.stderr, flush=True)


class Progress:
    """Counts ``what`` is being done in ``unit`` (``"B"`` is shown in KiB, MiB, ...); ``total`` None when unknown.

    A context manager; ``advance`` may be called from any thread. It ends with one line that says count, time and rate.
    """

    def __init__(self, total: int | None, unit: str, what: str, *, every_s: float | None = None) -> None:
        self.total, self.unit, self.what = total, unit, what
        self.done = 0
        self.note = ""
        self._bar = sys.stderr.isatty()
        self._every_s = every_s if every_s is not None else BAR_EVERY_S if self._bar else LINE_EVERY_S
        self._lock = threading.Lock()
        self._begun = self._shown = time.monotonic()

    def __enter__(self) -> Self:
        self._begun = self._shown = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        seconds = time.monotonic() - self._begun
        end = "done" if kind is None else "stopped"
        rate = f", {self._amount(self.done / seconds)}/s" if seconds > 0 else ""
        self._print(
            f"{self.what}: {end}, {self._amount(self.done)} in {seconds:.1f} s{rate}{self._remark()}", last=True
        )

    def advance(self, amount: int = 1, note: str = "") -> None:
        """``note`` stays at the end of the line until another replaces it."""
        with self._lock:
            self.done += amount
            self.note = note or self.note
            now = time.monotonic()
            if now - self._shown < self._every_s:
                return
            self._shown = now
        self._print(self.line())

    def line(self) -> str:
        """Count, share, rate and estimated time left, as one line."""
        seconds = max(time.monotonic() - self._begun, 1e-9)
        rate = self.done / seconds
        if self.total is None:
            return f"{self.what}: {self._amount(self.done)}, {self._amount(rate)}/s{self._remark()}"
        share = self.done / self.total if self.total else 1.0
        left = f", {(self.total - self.done) / rate:.0f} s left" if rate else ""
        bar = f"[{'#' * round(20 * share):20}] " if self._bar else ""
        done = self._amount(self.done) if self.unit == "B" else str(self.done)
        amounts = f"{done} of {self._amount(self.total)}"
        return f"{self.what}: {bar}{amounts} ({share:.0%}), {self._amount(rate)}/s{left}{self._remark()}"

    def _remark(self) -> str:
        return f"; {self.note}" if self.note else ""

    def _amount(self, value: float) -> str:
        if self.unit != "B":
            return f"{value:.1f} {self.unit}" if isinstance(value, float) else f"{value} {self.unit}"
        for unit in _UNITS:
            if value < 1024 or unit == _UNITS[-1]:
                return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"
            value /= 1024
        raise AssertionError("unreachable")

    def _print(self, text: str, last: bool = False) -> None:
        if _is_quiet():
            return
        _keep({"what": self.what, "unit": self.unit, "done": self.done, "total": self.total})
        if self._bar:
            sys.stderr.write(f"\r\x1b[K{text}" + ("\n" if last else ""))
        else:
            sys.stderr.write(text + "\n")
        sys.stderr.flush()


def _is_quiet() -> bool:
    return bool(os.environ.get("PROGRESS_QUIET"))


def _keep(facts: dict[str, Any]) -> None:
    """In the file that PROGRESS_FILE names, for whoever watches; that it cannot be written stops no work."""
    if not (name := os.environ.get("PROGRESS_FILE")):
        return
    path = Path(name)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        temporary.write_text(json.dumps({**facts, "at": time.time()}))
        temporary.replace(path)
