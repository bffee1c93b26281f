"""Trouble on demand: what the next matching requests meet."""

from __future__ import annotations

import re
import threading
from dataclasses import asdict, dataclass
from typing import Any

from emulator.errors import OntapError

KINDS = ("refuse", "slow", "lost_answer", "job_fails", "space_full", "error")


def number(value: Any, name: str, low: float, high: float) -> float:
    """The value, if it is a number within bounds."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"{name} must be a number from {low} to {high}")
    return value


def whole(value: Any, name: str, low: int, high: int) -> int:
    if not isinstance(value, int):
        raise ValueError(f"{name} must be a whole number from {low} to {high}")
    return int(number(value, name, low, high))


class NoSpace(OntapError):
    """Nothing more fits into a volume or its aggregate."""

    status, code = 400, "917927"


@dataclass
class Fault:
    """``refuse``: the connection is dropped, nothing is done. ``slow``: done after ``delay_s``. ``lost_answer``: done,
    but the connection is dropped before the answer. ``job_fails``: accepted, then the job ends with ``code`` and
    ``message``. ``space_full``: as if the volume had no space left. ``error``: ``status``, ``code`` and ``message``.
    """

    method: str
    """A verb, or ``*``."""
    path: str
    """Regular expression, found anywhere in the path with its query (``/api/...``, or ``/<bucket>/<key>`` for S3)."""
    kind: str
    times: int = 1
    delay_s: float = 0.0
    status: int = 500
    code: str = "1"
    message: str = "A fault that was asked for."

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"fault kind {self.kind!r} is none of {', '.join(KINDS)}")
        for name in ("method", "path", "message"):
            if not isinstance(getattr(self, name), str):
                raise ValueError(f"{name} must be text")
        whole(self.times, "times", 1, 10**9)
        whole(self.status, "status", 400, 599)
        number(self.delay_s, "delay_s", 0, 3600)
        self.code = str(self.code)
        re.compile(self.path)

    def error(self) -> OntapError:
        return OntapError(self.message, code=self.code, status=self.status)


class Faults:
    """The faults that are still due; taking one uses it up."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._due: list[Fault] = []

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._due.append(fault)

    def clear(self) -> None:
        with self._lock:
            self._due.clear()

    def take(self, method: str, path: str, *kinds: str) -> Fault | None:
        """The first due fault of one of these kinds that matches, or None."""
        with self._lock:
            for fault in self._due:
                if fault.kind in kinds and fault.method in ("*", method) and re.search(fault.path, path):
                    fault.times -= 1
                    if fault.times <= 0:
                        self._due.remove(fault)
                    return fault
        return None

    def due(self) -> list[dict[str, Any]]:
        with self._lock:
            return [asdict(fault) for fault in self._due]
