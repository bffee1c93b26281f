"""What happens, for those who watch: the database is asked once, however many they are."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections import deque
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from prometheus_client import Histogram
from starlette.concurrency import run_in_threadpool

from services.calls.store import Store

LOOK_EVERY_S = 0.25
"""For what another process stored; what this one stores is seen at once."""
KEPT = 2000
"""Events that are kept here, for those who come back soon."""
BATCH = 500
RECENT = 50
"""Sentences shown to one who comes for the first time."""
PULSE_S = 15
"""Between two signs of life; proxies close what is silent for long."""

log = logging.getLogger(__name__)


class Feed:
    """Follows the store and hands every event to every watcher, in order, from where it left off."""

    def __init__(self, store: Store, delay: Histogram) -> None:
        self._store, self._delay = store, delay
        self._events: deque[tuple[int, str]] = deque(maxlen=KEPT)
        self._life = 0
        """How often this database was seen for the first time, or to have gone back to an earlier state."""
        self._last = self._forgotten = 0
        self._wake = asyncio.Event()
        self._changed = asyncio.Condition()
        self._ended = False
        self._trouble = False
        self.watchers = 0

    def wake(self) -> None:
        """Look now: something was stored."""
        self._wake.set()

    async def end(self) -> None:
        """Let all watchers go; they come back to whoever serves next."""
        self._ended = True
        self.wake()
        await self._tell(self._trouble)

    async def follow(self) -> None:
        """Follow the store until ended, through whatever happens to the database."""
        while not self._ended:
            self._wake.clear()
            try:
                await self._look()
            except sa.exc.SQLAlchemyError as error:
                if not self._trouble:
                    log.error("The database: %s", type(error).__name__)
                await self._tell(True)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), LOOK_EVERY_S)

    async def _look(self) -> None:
        last, forgotten = await run_in_threadpool(self._store.state)
        if forgotten != self._forgotten:
            self._events.clear()
            self._forgotten = forgotten
        if not self._life or last < self._last:
            self._events.clear()
            self._last = last
            self._life += 1
        elif last > self._last:
            rows = await run_in_threadpool(self._store.after, self._last, BATCH)
            self._events.extend(_event(row) for row in rows)
            now = datetime.now(UTC)
            for row in rows:
                self._delay.observe(max(0.0, (now - datetime.fromisoformat(row["stored_at"])).total_seconds()))
            self._last = _upto(rows, last)
            if len(rows) == BATCH:
                self.wake()
        elif not self._trouble:
            return
        await self._tell(False)

    async def _tell(self, trouble: bool) -> None:
        async with self._changed:
            self._trouble = trouble
            self._changed.notify_all()

    async def events(self, after: int | None) -> AsyncIterator[str]:
        """Go through what comes after event ``after`` as server-sent events; None begins with what was recent."""
        self.watchers += 1
        try:
            yield "retry: 1000\n\n"
            async for told in self._told(after):
                yield told
        except sa.exc.SQLAlchemyError:
            # The stream ends and the watcher comes back, with the number of the last event that it has.
            yield _trouble(True)
        finally:
            self.watchers -= 1

    async def _told(self, after: int | None) -> AsyncIterator[str]:
        # A number beyond the last one is of a database that has gone back to an earlier state. What has happened in it
        # since, nobody knows: who has such a number is told what was recent, like one who comes for the first time.
        if after is None or after > (await run_in_threadpool(self._store.state))[0]:
            after = await run_in_threadpool(self._store.before_last, RECENT)
        life, trouble = self._life, False
        while not self._ended:
            if self._life != life:
                after = await run_in_threadpool(self._store.before_last, RECENT) if life else after
                life = self._life
            events, after = await self._following(after)
            for _, text in events:
                yield text
            if self._trouble != trouble:
                trouble = self._trouble
                yield _trouble(trouble)
            if not await self._moved(after, life, trouble):
                yield ": still here\n\n"

    async def _following(self, after: int) -> tuple[list[tuple[int, str]], int]:
        """Return events after one, and up to which event that is all there is.

        They are those kept here, or the next ones of the store where that reaches further back.
        """
        last = self._last
        if after >= last:
            return [], after
        if self._events and self._events[0][0] <= after + 1:
            return [one for one in self._events if one[0] > after], last
        rows = await run_in_threadpool(self._store.after, after, BATCH)
        return [_event(row) for row in rows], _upto(rows, last)

    async def _moved(self, after: int, life: int, trouble: bool) -> bool:
        """Wait until there is something to tell; False where there was nothing for a while."""

        def moved() -> bool:
            return self._ended or self._last > after or self._life != life or self._trouble != trouble

        try:
            async with self._changed, asyncio.timeout(PULSE_S):
                await self._changed.wait_for(moved)
        except TimeoutError:
            return False
        return True


def _upto(rows: list[dict[str, Any]], last: int) -> int:
    """Return the event up to which ``rows`` are all there is, ``last`` having been there before they were read.

    It is not always the last row's: sentences are deleted, and change, which gives them another number.
    """
    read = rows[-1]["event"] if rows else 0
    return read if len(rows) == BATCH else max(read, last)


def _event(row: dict[str, Any]) -> tuple[int, str]:
    # JSON has no line break in it, so that it is one line of data whatever people said.
    return row["event"], f"id: {row['event']}\nevent: sentence\ndata: {json.dumps(row)}\n\n"


def _trouble(there: bool) -> str:
    return f"event: trouble\ndata: {json.dumps(there)}\n\n"
