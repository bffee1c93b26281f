"""Waiting for what a cluster does by itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(condition: Callable[[], T], seconds: float = 240) -> T:
    """Return the first true answer; fail after ``seconds``, which only bound a test that would hang."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"not so after {seconds} s: {getattr(condition, '__name__', condition)}"
        time.sleep(0.2)
    return answer
