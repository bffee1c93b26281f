"""Several processes for work that goes in blocks."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from typing import Any

from tasks.common.program import BadInput


def processes(count: int) -> Executor:
    """As many processes, each started anew so that threads here do no harm there; for one, this process itself."""
    if count < 1:
        raise BadInput(f"--processes is {count}; it must be above 0.")
    if count == 1:
        return _Here()
    return ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), initializer=_leave_signals_to_parent)


class _Here(Executor):
    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return finished(fn(*args, **kwargs))


def finished(value: Any) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(value)
    return future


@contextmanager
def ended(waiting: Iterable[Future[Any]]) -> Iterator[None]:
    """Nothing of ``waiting`` is under way after this block, however it ends."""
    try:
        yield
    finally:
        left = list(waiting)
        for future in left:
            future.cancel()
        wait(left)


def _leave_signals_to_parent() -> None:
    """SIGTERM to the whole group ends the workers at once; an interrupt is the program's to answer."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
