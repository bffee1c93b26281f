"""Who is at work on the emulated cluster, so that a reset can let them end first and keep others out meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Gate:
    """Open by itself; while it is closed, whoever wants to enter waits."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._closed = False

    @contextmanager
    def entered(self) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._closed)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextmanager
    def closed(self) -> Iterator[Gate]:
        """Let nobody in. Whoever is inside goes on: see ``empty``."""
        with self._changed:
            self._changed.wait_for(lambda: not self._closed)
            self._closed = True
        try:
            yield self
        finally:
            with self._changed:
                self._closed = False
                self._changed.notify_all()

    def empty(self, timeout_s: float) -> bool:
        """Wait until nobody is inside; False when somebody still is, such as who waits for a cluster that waits too."""
        with self._changed:
            return self._changed.wait_for(lambda: self._inside == 0, timeout_s)
