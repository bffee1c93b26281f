"""The same work on many items, by several threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")
PATIENCE_S = 10.0  # for work under way when SIGTERM arrives; who sent it waits some 30 s before SIGKILL


def each(items: Iterable[T], work: Callable[[T], None], threads: int) -> None:
    """Call ``work`` once per item. The first error, or SIGTERM, lets what is being worked on end, then is raised."""
    crew = _Crew(items, work)
    members = [threading.Thread(target=crew.work_on, daemon=True) for _ in range(max(1, threads))]
    for member in members:
        member.start()
    try:
        for member in members:
            member.join()
    except BaseException:
        crew.stop.set()
        deadline = time.monotonic() + PATIENCE_S
        for member in members:
            member.join(max(0.0, deadline - time.monotonic()))
        raise
    if crew.errors:
        raise crew.errors[0]


class _Crew:
    def __init__(self, items: Iterable[T], work: Callable[[T], None]) -> None:
        self._items = iter(items)
        self._work: Callable[[T], None] = work
        self._lock = threading.Lock()
        self.stop = threading.Event()
        self.errors: list[BaseException] = []

    def work_on(self) -> None:
        try:
            while not self.stop.is_set():
                with self._lock:
                    item = next(self._items)
                self._work(item)
        except StopIteration:
            return
        except BaseException as error:  # raised again in the thread that waits
            self.errors.append(error)
            self.stop.set()
