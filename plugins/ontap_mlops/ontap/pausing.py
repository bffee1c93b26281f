"""Looking again and again for something that ONTAP does in the background, with longer and longer pauses."""

from __future__ import annotations

import time
from collections.abc import Iterator

_FIRST_S, _LONGER = 0.1, 1.6


def looks(limit_s: float, *, longest_s: float = 5.0) -> Iterator[None]:
    """Yield each time that it is time to look: at once, then after every pause, until the limit is over.

    :param longest_s: of the pauses.
    """
    deadline, pause = time.monotonic() + limit_s, _FIRST_S
    while True:
        yield
        if time.monotonic() + pause > deadline:
            return
        time.sleep(pause)
        pause = min(pause * _LONGER, longest_s)
