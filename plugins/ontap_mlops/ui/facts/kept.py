"""Answers of slow services, kept with their date: a page paints what is known and never waits for long.

One look at a time for each thing. A look that fails leaves the last known answer, with a sentence that says why it is
not newer.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")
FRESH_S = 30.0
"""For so long an answer is not asked for again."""
LEAST_S = 3.0
"""Younger than this, an answer is not asked for again even by who wants it fresh."""
PATIENCE_S = 4.0
"""A page waits so long for a first answer, and then says that there is none yet."""
SOON_S = 0.5
"""And so long for a newer one, where there is an older one to show."""
_MOST = 400  # things known at once: the versions of so many datasets, for instance
_AT_ONCE = 4


@dataclass(frozen=True)
class Answer(Generic[T]):
    """``value`` None means that nothing is known yet. ``trouble`` is a sentence, or empty."""

    value: T | None = None
    at: datetime | None = None
    trouble: str = ""
    asking: bool = False


@dataclass
class _Thing:
    answer: Answer[Any]
    looked: float | None = None  # by the monotonic clock, when the last look ended, well or not
    running: Future[Any] | None = None


class Kept:
    """:param now: the clock that dates answers; a monotonic one tells their age."""

    def __init__(
        self, now: Callable[[], datetime] = lambda: datetime.now(UTC), clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._now, self._clock = now, clock
        self._things: OrderedDict[tuple[Any, ...], _Thing] = OrderedDict()
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="data-hub")

    def get(
        self,
        key: tuple[Any, ...],
        ask: Callable[[], T],
        *,
        fresh_s: float = FRESH_S,
        refresh: bool = False,
        patience_s: float = PATIENCE_S,
    ) -> Answer[T]:
        """Return what is known under ``key``, asked for anew when it is older than ``fresh_s``.

        :param ask: raises what has a sentence for people; that becomes ``trouble``.
        :param refresh: ask again in any case, unless the answer is only seconds old.
        """
        with self._lock:
            thing = self._things.setdefault(key, _Thing(Answer()))
            self._things.move_to_end(key)
            self._forget()
            if thing.running is None and self._is_due(thing, LEAST_S if refresh else fresh_s):
                thing.running = self._pool.submit(self._look, thing, ask)
            running, known = thing.running, thing.answer.value is not None
        if running is not None:
            wait([running], patience_s if not known or refresh else SOON_S)
        with self._lock:
            return replace(thing.answer, asking=thing.running is not None)

    def known(self, key: tuple[Any, ...]) -> Answer[Any]:
        """Return what is known under ``key`` without asking anybody."""
        with self._lock:
            thing = self._things.get(key)
            return thing.answer if thing else Answer()

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _is_due(self, thing: _Thing, age_s: float) -> bool:
        return thing.looked is None or self._clock() - thing.looked >= age_s

    def _look(self, thing: _Thing, ask: Callable[[], Any]) -> None:
        try:
            answer: Answer[Any] = Answer(ask(), self._now())
        except Exception as error:  # whatever it is, the page says it and shows what was known before
            log.warning("The data hub got no answer: %s", error)
            answer = replace(thing.answer, trouble=_sentence(error))
        with self._lock:
            thing.answer, thing.looked, thing.running = answer, self._clock(), None

    def _forget(self) -> None:
        idle = [key for key, thing in self._things.items() if thing.running is None]
        for key in idle[: max(0, len(self._things) - _MOST)]:
            del self._things[key]


def _sentence(error: Exception) -> str:
    """Only what was written for people: the text of an unforeseen error may hold anything."""
    from ontap_mlops.hooks.rest import ServiceRefused, ServiceUnavailable
    from ontap_mlops.ontap.errors import OntapError

    if isinstance(error, OntapError | ServiceRefused | ServiceUnavailable | ValueError | OSError):
        return str(error)
    if type(error).__name__ == "AirflowNotFoundException":
        return f"{error}. Make that connection in Airflow."
    return f"It could not be asked ({type(error).__name__}); the log of Airflow's API server says more."
