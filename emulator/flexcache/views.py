"""What the folder of a cache shows: the origin's files while they can be reached, its own copies while they cannot."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from emulator.errors import OntapError
from emulator.flexcache import errors, origins, remote
from emulator.store import Record

if TYPE_CHECKING:
    from emulator.world import World

KIND = "flexcache"
LOOK_EVERY_S = 1.0

log = logging.getLogger(__name__)


def origin_of(world: World, cache: Record) -> dict[str, Any]:
    """The facts of a cache's origin (see `origins.facts`). 66846923 when it cannot be reached now."""
    origin, of = f"{cache['origin']['svm']['name']}:{cache['origin']['volume']['name']}", _name(world, cache)
    try:
        found = remote.look(world, cache) if cache["peer"] else _local(world, cache)
    except OntapError as error:
        raise errors.OriginUnreachable(origin, of, error.message.rstrip(".")) from error
    if found["state"] != "online":
        raise errors.OriginUnreachable(origin, of, "it is offline")
    if origins.folder(found) is None:
        raise errors.OriginUnreachable(origin, of, "its folder is not on this machine")
    return found


def _local(world: World, cache: Record) -> dict[str, Any]:
    volume = world.store.get("volume", cache["origin"]["volume"]["uuid"])
    if volume is None:
        raise OntapError("it is gone")
    return origins.facts(world, volume)


def _name(world: World, cache: Record) -> str:
    volume = world.store.get("volume", cache["uuid"])
    return volume["name"] if volume else cache["uuid"]


def look(world: World, uuid: str) -> bool:
    """Let a cache show what it can now; whether its origin is reached. One that is being filled is left for later."""
    lock = world.dataplane.lock(uuid)
    if not lock.acquire(timeout=LOOK_EVERY_S):
        return False
    try:
        cache = world.store.get(KIND, uuid)
        if cache is None:
            return False
        copies = world.dataplane.kept_by(uuid)
        try:
            found = origin_of(world, cache)
        except OntapError as error:
            if cache["connected"] and (last := origins.folder(cache["origin"])):
                copies.compare(last)
            if copies.show(copies.top) or cache["connected"]:
                log.warning("%s Files that were copied here are still there.", error.message)
                world.store.update(KIND, uuid, connected=False)
            return False
        moved = copies.show(origins.folder(found) or copies.top)
        if moved or not cache["connected"] or found != cache["origin"]:
            world.store.update(KIND, uuid, connected=True, origin=found)
        return True
    finally:
        lock.release()


class Watch:
    """Looks after every cache once a second, until it is stopped."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="flexcache", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(LOOK_EVERY_S):
            for uuid in self._world.store.column(KIND, "state") if self._world.store.count(KIND) else ():
                try:
                    look(self._world, uuid)
                except Exception:
                    log.exception("cache %s could not be looked after", uuid)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
