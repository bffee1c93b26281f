"""What happens by itself: functions called every moment, which look at the cluster's clock for what has fallen due."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

# The world has the clock, so it cannot be named here.
Tick = Callable[[Any], None]
EVERY_S = 0.5
_TICKS: list[Tick] = []

log = logging.getLogger(__name__)


def every_moment(tick: Tick) -> Tick:
    """Register a function (world); it is called a few times a second, never twice at once, and must be quick."""
    _TICKS.append(tick)
    return tick


def tick(world: Any) -> None:
    for each in _TICKS:
        try:
            each(world)
        except Exception:
            log.exception("%s.%s failed", each.__module__, each.__qualname__)


class Ticking:
    """Calls them in a thread until ``stop``."""

    def __init__(self, world: Any) -> None:
        self._world = world
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ticking", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopped.wait(EVERY_S):
            with self._world.gate.entered():
                tick(self._world)

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(timeout=5)
