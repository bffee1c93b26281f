"""Runs transfers in threads, at the pace that a test chooses for jobs, and takes up unfinished ones after a kill."""

from __future__ import annotations

import concurrent.futures
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

from emulator.clock import Clock
from emulator.errors import OntapError
from emulator.jobs.runner import Jobs
from emulator.snapmirror_transfers import records
from emulator.snapmirror_transfers.errors import Aborted
from emulator.store import Record, Store

WORKERS = 4
_NOTE_EVERY_S = 0.2

log = logging.getLogger(__name__)


class Place(Protocol):
    """What is needed of the world; all of it is passed on to those who do the work."""

    store: Store
    clock: Clock
    jobs: Jobs


# World, uuid of the transfer, and how far it is.
Work = Callable[[Any, str, "Progress"], None]
_WORK: list[Work] = []


def does_transfers(work: Work) -> Work:
    """Register the function that does a transfer; it may be killed anywhere, and is then done again."""
    _WORK.append(work)
    return work


class Transfers:
    def __init__(self, world: Place) -> None:
        self._world = world
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="transfer")
        self._running: dict[str, Future[None]] = {}
        self._timers: dict[str, threading.Timer] = {}
        self._aborting: dict[str, str] = {}
        self._lock = threading.Lock()

    def begin(self, record: Record) -> Record:
        """Store a transfer as queued, and let it run at the pace of jobs."""
        world, pace = self._world, self._world.jobs.pace
        reads = int(pace.value) if pace.mode == "reads" else 0
        record = world.store.insert(records.KIND, record | {"reads_left": reads})
        if pace.mode == "seconds" and pace.value:
            timer = threading.Timer(pace.value, self._start, (record["uuid"],))
            timer.daemon = True
            self._timers[record["uuid"]] = timer
            timer.start()
        elif not reads:
            self._start(record["uuid"])
        return record

    def read(self, record: Record) -> None:
        """Somebody looks at a transfer; in ``reads`` mode this is what makes it go on."""
        if record["state"] not in records.OPEN or not record["reads_left"]:
            return
        left = record["reads_left"] - 1
        self._world.store.update(records.KIND, record["uuid"], reads_left=left, state="transferring")
        if left == 0:
            self._start(record["uuid"]).result()

    def abort(self, record: Record, how: str) -> None:
        """Have a transfer stop at the next file; at once where it has not begun."""
        self._world.store.update(records.KIND, record["uuid"], abort=how)
        self._aborting[record["uuid"]] = how
        if timer := self._timers.pop(record["uuid"], None):
            timer.cancel()
        self._start(record["uuid"])

    def _start(self, uuid: str) -> Future[None]:
        with self._lock:
            if uuid not in self._running:
                self._running[uuid] = self._pool.submit(self._run, uuid)
            return self._running[uuid]

    def _run(self, uuid: str) -> None:
        world = self._world
        try:
            record = world.store.get(records.KIND, uuid)
            if record is None or record["state"] not in records.OPEN:
                return
            progress = Progress(self, record)
            progress.check()
            world.store.update(records.KIND, uuid, state="transferring", begun=record["begun"] or time.time())
            _WORK[0](world, uuid, progress)
        except Aborted:
            self._end(uuid, self._aborting.get(uuid, "aborted"), None)
        except OntapError as error:
            self._end(uuid, "failed", error)
        except Exception as error:
            log.exception("transfer %s failed inside the emulator", uuid)
            self._end(uuid, "failed", OntapError(f"Internal error. {type(error).__name__}: {error}", code="20"))
        else:
            self._end(uuid, "success", None)
        finally:
            self._timers.pop(uuid, None)
            self._aborting.pop(uuid, None)
            self._running.pop(uuid, None)

    def _end(self, uuid: str, how: str, error: OntapError | None) -> None:
        world = self._world
        with world.store.transaction():
            record = world.store.get(records.KIND, uuid)
            if record is None:
                return
            now = world.clock.iso()
            shown = {"message": error.message, "code": error.code} if error else None
            record = world.store.update(
                records.KIND, uuid, state=how, error_info=shown, end_time=now, updated=now, ended=time.time()
            )
            if relationship := world.store.get("snapmirror", record["relationship"]):
                self._note_end(relationship, record, shown)
            records.forget_old(world.store, record["relationship"])

    def _note_end(self, relationship: Record, record: Record, error: dict[str, Any] | None) -> None:
        changes: dict[str, Any] = {
            "last_transfer": record["uuid"],
            "total_bytes": relationship["total_bytes"] + record["bytes"],
            "total_s": relationship["total_s"] + records.duration_s(record),
        }
        if record["state"] in ("success", "failed"):
            changes |= {"healthy": error is None, "unhealthy_reason": [error | {"arguments": []}] if error else None}
        if record["state"] == "success":
            changes["last_transfer_type"] = record["kind"]
        self._world.store.update("snapmirror", relationship["uuid"], **changes)

    def aborting(self, uuid: str) -> bool:
        return uuid in self._aborting

    def note(self, uuid: str, count: int) -> None:
        if self._world.store.get(records.KIND, uuid) is None:
            raise Aborted  # a reset has forgotten it
        self._world.store.update(records.KIND, uuid, bytes=count, updated=self._world.clock.iso())

    def recover(self) -> None:
        """Begin again what a kill interrupted; what the destination has of it already is not copied again."""
        for record in self._world.store.find(records.KIND):
            if record["state"] in records.OPEN:
                log.warning("transfer %s was interrupted; it goes on", record["uuid"])
                self._world.store.update(records.KIND, record["uuid"], state="queued", reads_left=0)
                if record["abort"]:
                    self._aborting[record["uuid"]] = record["abort"]
                self._start(record["uuid"])

    def drop_all(self) -> None:
        """Stop everything that is open and wait for it, for a reset."""
        for timer in list(self._timers.values()):
            timer.cancel()
        for uuid, future in list(self._running.items()):
            self._aborting[uuid] = "aborted"
            if not future.cancel():
                concurrent.futures.wait([future])  # however it ends
        self._timers.clear()
        self._running.clear()
        self._aborting.clear()

    def stop(self) -> None:
        """Leave what runs as if it had been killed: the next start goes on with it."""
        for timer in list(self._timers.values()):
            timer.cancel()
        self._pool.shutdown(wait=False, cancel_futures=True)


class Progress:
    """How far one transfer is; slows it down to its throttle, and ends it where it was aborted."""

    def __init__(self, engine: Transfers, record: Record) -> None:
        self._engine = engine
        self._uuid = record["uuid"]
        self._throttle = record["throttle"] * 1024
        self._began = self._noted = time.monotonic()
        self.bytes = 0

    def check(self) -> None:
        """Raises Aborted."""
        if self._engine.aborting(self._uuid):
            raise Aborted

    def add(self, count: int) -> None:
        self.bytes += count
        while self._throttle and time.monotonic() - self._began < self.bytes / self._throttle:
            self.check()
            self._note()
            time.sleep(0.02)
        self.check()
        self._note()

    def _note(self, *, always: bool = False) -> None:
        if always or time.monotonic() - self._noted > _NOTE_EVERY_S:
            self._noted = time.monotonic()
            self._engine.note(self._uuid, self.bytes)

    def finish(self) -> None:
        self._note(always=True)
