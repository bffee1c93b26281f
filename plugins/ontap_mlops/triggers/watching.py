"""Watchers of storage: what happens there becomes an event of an asset. All of one cluster share one look at it."""

from __future__ import annotations

import asyncio
import fnmatch
import logging
import re
import zlib
from collections.abc import AsyncIterator, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk.definitions.asset import AssetNameRef
from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from ontap_mlops.ontap.events import OVERLAP
from ontap_mlops.triggers.memory import MADE_HERE, Memory

if TYPE_CHECKING:
    from ontap_mlops.ontap.events import Event

log = logging.getLogger(__name__)

INTERVAL_S = 60.0
# The triggerer stores an event within a second or two. Only then is it remembered as told: killed in between, it tells
# the event once more rather than never.
STORED_AFTER_S = 3.0
# How often a watcher to which nothing happens writes down that it has looked; each has its own moment in this time.
SAID_EVERY_S = 900.0
_AGAIN_S = 10.0
_PATTERN = re.compile(r"[*?[]")
_WAIT_FOR_WATCHERS_S = 0.2


@dataclass(frozen=True)
class Look:
    """What one look brought, for every watcher that shares it.

    ``until`` is the time of what is watched from which the next look asks; ``trouble`` says why it brought nothing.
    """

    until: datetime | None = None
    events: list[Event] = field(default_factory=list)
    default_svm: str = ""
    trouble: str = ""

    @cached_property
    def _places(self) -> dict[tuple[str, str], list[Event]]:
        places: dict[tuple[str, str], list[Event]] = {}
        for event in self.events:
            places.setdefault((event.svm, event.volume), []).append(event)
        return places

    def at(self, svm: str, volume: str) -> list[Event]:
        """Return what happened to the volume: found by its name, so that a thousand watchers cost no more than that."""
        svm = svm or self.default_svm
        if not _PATTERN.search(svm + volume):
            return self._places.get((svm, volume), [])
        fits = [
            found
            for (where, name), found in self._places.items()
            if fnmatch.fnmatchcase(where, svm) and fnmatch.fnmatchcase(name, volume)
        ]
        return sorted((event for found in fits for event in found), key=lambda event: (event.at, event.id))


# From when on the watchers of each shared look need to know what happened; None is "from now on".
_listening: dict[Hashable, dict[int, Memory]] = {}


class Watching(BaseEventTrigger):
    """The base of watchers. A subclass says where it looks (``place``), how (``look``) and what concerns it (``news``).

    Nothing ends a watcher: what cannot be reached is logged once, and looked at again. What a watcher has seen, and
    until when, lies in the state store of its asset, where a restarted triggerer goes on and a person may read it.
    """

    interval_s: float
    asset: str
    kind: str
    overlap: ClassVar[timedelta] = OVERLAP
    """How much older than what a look has seen something new may be."""

    @classmethod
    def place(cls, arguments: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return what watchers must have in common to share a look."""
        raise NotImplementedError

    @classmethod
    def look(cls, arguments: Mapping[str, Any], since: datetime | None) -> Look:
        """Look once, from the arguments that make up ``place`` alone. Called in a thread; may raise anything."""
        raise NotImplementedError

    async def news(self, look: Look, memory: Memory) -> list[dict[str, Any]]:
        """Return what concerns this watcher: a payload with ``id`` and ``at`` for each event to fire."""
        raise NotImplementedError

    def shared_stream_key(self) -> Hashable:
        return self._key(self.serialize()[1])

    @classmethod
    def _key(cls, arguments: Mapping[str, Any]) -> Hashable:
        return (f"{cls.__module__}.{cls.__qualname__}", float(arguments["interval_s"]), *cls.place(arguments))

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[Look]:
        key, failing = cls._key(kwargs), False
        while True:
            listeners = _listening.get(key)
            if not listeners:  # the first of them still reads from where it has to go on
                await asyncio.sleep(_WAIT_FOR_WATCHERS_S)
                continue
            since = min((m.until for m in listeners.values() if m.until is not None), default=None)
            try:
                look = await asyncio.to_thread(cls.look, kwargs, since)
            except Exception as error:
                look = Look(trouble=f"{type(error).__name__}: {error}")
                if not failing:
                    said = "%s cannot be watched; it is looked at again every %s s: %s"
                    log.warning(said, _called(cls.place(kwargs)), kwargs["interval_s"], error)
            else:
                if failing:
                    log.info("%s is watched again, from %s on", _called(cls.place(kwargs)), since)
            failing = bool(look.trouble)
            yield look
            await asyncio.sleep(float(kwargs["interval_s"]))

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Look]) -> AsyncIterator[TriggerEvent]:
        memory = await self._remembered()
        with self._listens(memory):
            async for look in shared_stream:
                payloads = await self._learn(look, memory)
                for payload in payloads:
                    yield TriggerEvent(payload)
                if payloads:
                    await asyncio.sleep(STORED_AFTER_S)
                await self._remember(memory)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        stream = type(self).open_shared_stream(self.serialize()[1])
        async for event in self.filter_shared_stream(stream):
            yield event

    async def _learn(self, look: Look, memory: Memory) -> list[dict[str, Any]]:
        memory.looked(look.trouble)
        if look.trouble or look.until is None:
            return []
        began, payloads = memory.until is not None, await self.news(look, memory)
        if not began:  # what was there before is no event
            memory.pass_over(payloads)
            payloads = []
        memory.told(look.until, payloads)
        return payloads

    @contextmanager
    def _listens(self, memory: Memory) -> Iterator[None]:
        key = self.shared_stream_key()
        listeners = _listening.setdefault(key, {})
        listeners[id(self)] = memory
        try:
            yield
        finally:
            listeners.pop(id(self), None)
            if not listeners and _listening.get(key) is listeners:
                del _listening[key]

    @property
    def store(self) -> Any:
        """The state store of the watched asset; None where a watcher belongs to none."""
        stores = getattr(self, "asset_state_store", None)
        if stores is None or not self.asset:
            return stores
        return stores[AssetNameRef(name=self.asset)]

    async def _remembered(self) -> Memory:
        """Asked until there is an answer: to begin with now instead would lose what happened since the last look."""
        spread = zlib.crc32(f"{self.asset}{self.kind}".encode()) % int(SAID_EVERY_S)
        if self.store is None:
            return Memory(self.kind, spread_s=spread, overlap=self.overlap)
        while True:
            try:
                kept = await self.store.aget(f"watch_{self.kind}")
            except Exception as error:
                log.warning("What %s has seen cannot be read, and is asked for again: %s", self.asset, error)
                await asyncio.sleep(_AGAIN_S)
            else:
                return Memory(self.kind, kept, spread, self.overlap)

    async def _remember(self, memory: Memory) -> None:
        if self.store is None or not memory.is_due(SAID_EVERY_S):
            return
        try:
            await self.store.aset(f"watch_{self.kind}", memory.to_json())
        except Exception as error:  # written with the next look
            log.warning("What %s has seen cannot be written down: %s", self.asset, error)
        else:
            memory.written()


class OntapEventTrigger(Watching):
    """Fires when a snapshot was made, a mirror's transfer or the filling of a cache has ended, on one cluster.

    However many there are on one connection and interval, ONTAP is asked once each time for all that happened since.

    :param kind: ``snapshot``, ``transfer`` or ``prepopulate``.
    :param volume: name, or a pattern such as ``images_*``. Of a mirror, the destination's; of a cache, its own.
    :param svm: name or pattern; the connection's own if empty.
    :param name: pattern of the snapshots' names.
    :param label: SnapMirror label of the snapshots; any if empty.
    :param dataset: makes versions of this dataset of the snapshots; others are no events then.
    :param adopt_names: with ``dataset``: patterns of names of snapshots that others made and that count as versions.
    :param adopt_labels: the same by SnapMirror label.
    :param asset: name of the asset that gets the events.
    """

    def __init__(
        self,
        *,
        kind: str,
        volume: str,
        svm: str = "",
        name: str = "*",
        label: str = "",
        dataset: str = "",
        adopt_names: tuple[str, ...] | list[str] = (),
        adopt_labels: tuple[str, ...] | list[str] = (),
        ontap_conn_id: str = "ontap_default",
        interval_s: float = INTERVAL_S,
        asset: str = "",
    ) -> None:
        super().__init__()
        self.kind = kind
        self.volume = volume
        self.svm = svm
        self.name = name
        self.label = label
        self.dataset = dataset
        self.adopt_names = list(adopt_names)
        self.adopt_labels = list(adopt_labels)
        self.ontap_conn_id = ontap_conn_id
        self.interval_s = interval_s
        self.asset = asset

    def serialize(self) -> tuple[str, dict[str, Any]]:
        names = ["kind", "volume", "svm", "name", "label", "dataset", "adopt_names", "adopt_labels"]
        names += ["ontap_conn_id", "interval_s", "asset"]
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}

    @classmethod
    def place(cls, arguments: Mapping[str, Any]) -> tuple[Any, ...]:
        return arguments["ontap_conn_id"], arguments["kind"]

    @classmethod
    def look(cls, arguments: Mapping[str, Any], since: datetime | None) -> Look:
        from ontap_mlops.hooks.extra import extra_of
        from ontap_mlops.hooks.ontap import OntapHook
        from ontap_mlops.ontap import events

        hook = OntapHook(arguments["ontap_conn_id"])
        with hook.client() as client:
            until, found = events.since(client, kind=arguments["kind"], since=since)
        return Look(until=until, events=found, default_svm=str(extra_of(hook.connection).get("svm") or ""))

    async def news(self, look: Look, memory: Memory) -> list[dict[str, Any]]:
        fresh = [event for event in look.at(self.svm, self.volume) if memory.is_news(event.id, event.at)]
        payloads = [payload for event in fresh if self._fits(event) and (payload := self._payload(event))]
        if not any(payload.get("made_by") for payload in payloads):
            return payloads
        here = await self._made_here()
        memory.pass_over([payload for payload in payloads if payload.get("made_by") in here])
        return [payload for payload in payloads if payload.get("made_by") not in here]

    def _fits(self, event: Event) -> bool:
        facts = event.facts
        return fnmatch.fnmatchcase(facts.get("snapshot", ""), self.name) and self.label in ("", facts.get("label"))

    def _payload(self, event: Event) -> dict[str, Any] | None:
        said = {"watched": self.kind, "id": event.id, "at": event.at.isoformat(), "svm": event.svm}
        said |= {"volume": event.volume}
        if not self.dataset:
            return said | event.facts
        from ontap_mlops.ontap import dataset_versions

        if event.snapshot is None:
            return None
        version = dataset_versions.of_snapshot(
            event.snapshot,
            svm=event.svm,
            volume=event.volume,
            dataset=self.dataset,
            adopt=dataset_versions.Adoption(tuple(self.adopt_names), tuple(self.adopt_labels)),
        )
        if version is None:
            return None
        by = dataset_versions.made_by(event.snapshot.comment)
        return said | {"dataset_version": version.to_json(), "made_by": by}

    async def _made_here(self) -> tuple[str, ...]:
        """Return the runs whose own task tells the version that it makes (see ``operators.versions``)."""
        return tuple(await self.store.aget(MADE_HERE) or ()) if self.store is not None else ()


def _called(place: tuple[Any, ...]) -> str:
    return " ".join(str(part) for part in place)
