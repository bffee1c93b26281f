"""Wait for something to come true, however slow the machine is: the limit is for what will never come."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
LIMIT_S = 240


def until(
    look: Callable[[], T],
    otherwise: Callable[[], object] | str = "it does not come true",
    limit_s: float = LIMIT_S,
    *,
    every_s: float = 0.02,
) -> T:
    """Look again and again and return the first answer that is true.

    :param otherwise: what the failure says when none comes: a sentence, or a function that tells what there is instead.
    :param every_s: how long to rest between two looks; more where a look is work for what it looks at.
    """
    deadline = time.monotonic() + limit_s
    while not (found := look()):
        if time.monotonic() > deadline:
            told = otherwise if isinstance(otherwise, str) else otherwise()
            raise AssertionError(f"after {limit_s:.0f} s: {told}")
        time.sleep(every_s)
    return found
