"""Watchers as Airflow's triggerer runs them: with its own shared streams, and a state store that outlives them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from airflow.triggers.shared_stream import SharedStreamManager

from ontap_mlops.triggers import watching


class Stores:
    """The state stores of all assets, by name."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Any]] = {}
        self.fails = False

    def looked(self, count: int = 1) -> bool:
        """Whether so many watchers have looked for the first time."""
        return sum(bool(values) for values in self.kept.values()) >= count

    def __getitem__(self, asset: Any) -> _Store:
        return _Store(self, asset.name)


class _Store:
    def __init__(self, stores: Stores, name: str) -> None:
        self.stores = stores
        self.values = stores.kept.setdefault(name, {})

    def get(self, key: str, default: Any = None) -> Any:
        if self.stores.fails:
            raise ConnectionError("the database is away")
        return self.values.get(key, default)

    def set(self, key: str, value: Any) -> None:
        if self.stores.fails:
            raise ConnectionError("the database is away")
        self.values[key] = value

    async def aget(self, key: str, default: Any = None) -> Any:
        return self.get(key, default)

    async def aset(self, key: str, value: Any) -> None:
        self.set(key, value)


class Triggerer:
    """One process's worth of watchers: ``await stop()`` ends it as a restart does, without a word to anybody."""

    def __init__(self, triggers: Sequence[Any], stores: Stores) -> None:
        self.streams = SharedStreamManager()
        self.told: dict[str, list[Any]] = {}
        self.tasks = [asyncio.create_task(self._run(i, trigger, stores)) for i, trigger in enumerate(triggers)]
        self.triggers = triggers

    async def _run(self, number: int, trigger: Any, stores: Stores) -> None:
        # Made anew from its plain values, as the triggerer does.
        trigger = type(trigger)(**trigger.serialize()[1])
        trigger.asset_state_store = stores
        stream = self.streams.subscribe(trigger_id=number, trigger=trigger, key=trigger.shared_stream_key())
        async for event in trigger.filter_shared_stream(stream):
            self.told.setdefault(trigger.asset, []).append(event.payload)

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.streams.stop_all()


async def eventually(condition: Callable[[], Any], what: str, limit_s: float = 90.0) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come"
        await asyncio.sleep(0.02)


def watched(steps: Callable[[], Awaitable[None]], monkeypatch: Any) -> None:
    """Run the steps of a test, with no wait for a triggerer that stores what it is told."""
    monkeypatch.setattr(watching, "STORED_AFTER_S", 0.0)
    asyncio.run(steps())  # type: ignore[arg-type]
