"""Look again and again at what goes on elsewhere, ever more rarely, for a limited time."""

from __future__ import annotations

import time
from collections.abc import Iterator

FIRST_S, GROWTH = 0.1, 1.6


def looks(limit_s: float, *, first_s: float = FIRST_S, longest_s: float = 5.0) -> Iterator[None]:
    """Yield at once, and again after pauses that grow from ``first_s`` to ``longest_s``.

    Ends when the next pause would go beyond ``limit_s``, so ``for _ in looks(...): ...`` falls through when it is late.
    """
    deadline, pause = time.monotonic() + limit_s, first_s
    yield
    while time.monotonic() + pause <= deadline:
        time.sleep(pause)
        pause = min(pause * GROWTH, longest_s)
        yield
