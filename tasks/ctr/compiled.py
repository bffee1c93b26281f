"""Loops over bytes and rows, compiled to machine code by numba on first use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Machine code for ``function``, run without Python's global lock, kept beside the source for the next process."""
    try:
        return cast(F, numba.njit(cache=True, nogil=True)(function))
    except RuntimeError:  # neither the source folder nor a home folder can be written to: compile in every process
        return cast(F, numba.njit(nogil=True)(function))
