"""Work that is mostly waited for, done ahead by threads while its results are taken in order."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from tasks.common.data import Store

T = TypeVar("T")


def ahead(calls: Iterable[Callable[[], T]], threads: int, depth: int) -> Iterator[T]:
    """The calls' results in order, ``depth`` of them being made or waiting at most."""
    waiting: collections.deque[Future[T]] = collections.deque()
    pool = ThreadPoolExecutor(threads)
    try:
        for call in calls:
            waiting.append(pool.submit(call))
            if len(waiting) >= depth:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def read_ahead(
    store: Store, keys: Iterable[str], connections: int, treat: Callable[[bytes], T]
) -> Iterator[tuple[str, T]]:
    """Each key with ``treat`` of its bytes, in the given order, while threads read and treat the next ones.

    At most twice ``connections`` files are under way or waiting, however many there are.
    """

    def examine(key: str) -> tuple[str, T]:
        return key, treat(store.read(key))

    return ahead((partial(examine, key) for key in keys), threads=connections, depth=2 * connections)
