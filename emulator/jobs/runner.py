"""Runs jobs in threads, at the pace that a test chooses, and takes up unfinished ones after a kill."""

from __future__ import annotations

import concurrent.futures
import logging
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import uuid4

from emulator.clock import Clock
from emulator.errors import OntapError
from emulator.faults import Faults, NoSpace, number
from emulator.jobs.operations import OPERATIONS
from emulator.store import Record, Store

KIND = "job"
KEPT_JOBS = 1_000
_FORGET_EVERY = 100
WORKERS = 4
# ONTAP calls a job what takes longer than this.
COURTESY_S = 2.0
PAUSED = "paused"
_OPEN = ("queued", "running", PAUSED)
GROUP = "group"
"""State and operation of a job that stands for others; what is shown of it follows from them."""

log = logging.getLogger(__name__)


class Place(Protocol):
    """What jobs need of the world; the whole of it is passed on to their operations."""

    store: Store
    clock: Clock
    faults: Faults


class Request(Protocol):
    """What began a job."""

    @property
    def method(self) -> str: ...

    @property
    def path(self) -> str: ...

    @property
    def description(self) -> str: ...


@dataclass
class Pace:
    """``immediate``: jobs run at once. ``reads``: a job is done at the ``value``-th time somebody reads it.
    ``seconds``: after that many seconds of real time."""

    mode: str = "immediate"
    value: float = 0

    def __post_init__(self) -> None:
        if self.mode not in ("immediate", "reads", "seconds"):
            raise ValueError(f"job mode {self.mode!r} is none of immediate, reads, seconds")
        number(self.value, "value", 0, 86400)


class Jobs:
    def __init__(self, world: Place) -> None:
        self._world = world
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="job")
        self._running: dict[str, Future[None]] = {}
        self._timers: dict[str, threading.Timer] = {}
        self._lock = threading.Lock()
        self._submitted = 0
        self._dropped = 0
        self.pace = Pace()

    @property
    def courtesy_s(self) -> float:
        """How long a 202 waits for a job that runs at once, so that a client's first look finds it done."""
        return COURTESY_S if self.pace.mode == "immediate" else 0

    def submit(self, call: Request, operation: str, args: dict[str, Any], *, svm: dict[str, str] | None = None) -> str:
        """Record a job and let it run at the current pace; returns its uuid."""
        world, uuid = self._world, str(uuid4())
        record = {
            "uuid": uuid,
            "description": call.description,
            "state": "queued",
            "operation": operation,
            "args": args,
            "svm": svm,
            "start_time": world.clock.iso(),
            "started_at": time.time(),
            "reads_left": int(self.pace.value) if self.pace.mode == "reads" else None,
            "seconds": self.pace.value if self.pace.mode == "seconds" else 0,
            "fault": self._fault(call),
        }
        self._insert(record)
        self._schedule(record)
        return uuid

    def _insert(self, record: Record) -> None:
        with self._world.store.transaction():
            self._world.store.insert(KIND, record)
            self._submitted += 1
            if self._submitted % _FORGET_EVERY == 0:
                self._forget_old()

    def group(
        self,
        call: Request,
        parts: list[str],
        *,
        paths: list[str],
        errors: list[dict[str, Any]],
        svm: dict[str, str] | None,
    ) -> str:
        """Record a job that stands for others (``parts``) and ends when they do; returns its uuid.

        ``errors`` are those of what never became a job, ``paths`` those of the records that all this is about.
        """
        uuid = str(uuid4())
        shown = {"uuid": uuid, "description": call.description, "state": GROUP, "svm": svm}
        within = {"operation": GROUP, "args": {}, "parts": parts, "paths": paths, "errors": errors}
        self._insert(shown | within | {"start_time": self._world.clock.iso()})
        return uuid

    def errors_of(self, group: Record) -> list[dict[str, Any]]:
        """What went wrong with any part of a group."""
        parts = [self._world.store.get(KIND, uuid) for uuid in group.get("parts", [])]
        return [*group.get("errors", []), *(part["error"] for part in parts if part and part.get("error"))]

    def settled(self, record: Record) -> Record:
        """The job as it stands: that of a group follows from its parts."""
        if "parts" not in record:
            return record
        parts = [part for uuid in record["parts"] if (part := self._world.store.get(KIND, uuid))]
        if any(part["state"] in _OPEN for part in parts):
            return record | {"state": "running"}
        errors = self.errors_of(record)
        ended = max((part["end_time"] for part in parts if part.get("end_time")), default=record["start_time"])
        state = "failure" if errors else "success"
        return record | {"state": state, "error": errors[0] if errors else None, "end_time": ended}

    def _fault(self, call: Request) -> dict[str, Any] | None:
        fault = self._world.faults.take(call.method, f"/api{call.path}", "job_fails", "space_full")
        if fault is None:
            return None
        if fault.kind == "space_full":
            full = NoSpace("No space left on device.")
            return {"message": full.message, "code": full.code, "status": full.status}
        return {"message": fault.message, "code": str(fault.code), "status": fault.status}

    def _schedule(self, record: Record) -> None:
        uuid = record["uuid"]
        if record["reads_left"]:
            return
        if record["seconds"]:
            self._world.store.update(KIND, uuid, state="running")
            timer = threading.Timer(record["seconds"], self._start, (uuid,))
            timer.daemon = True
            self._timers[uuid] = timer
            timer.start()
        else:
            self._start(uuid)

    def _start(self, uuid: str) -> Future[None]:
        with self._lock:
            if uuid not in self._running:
                self._running[uuid] = self._pool.submit(self._run, uuid)
            return self._running[uuid]

    def _run(self, uuid: str) -> None:
        world = self._world
        record = world.store.get(KIND, uuid)
        if record is None or record["state"] not in _OPEN or record["state"] == PAUSED:
            return
        world.store.update(KIND, uuid, state="running")
        try:
            if record["fault"]:
                raise OntapError(
                    record["fault"]["message"], code=record["fault"]["code"], status=record["fault"]["status"]
                )
            OPERATIONS[record["operation"]](world, record["args"] | {"job": uuid})
        except OntapError as error:
            self._end(uuid, "failure", error)
        except Exception as error:
            log.exception("job %s (%s) failed inside the emulator", uuid, record["description"])
            self._end(
                uuid, "failure", OntapError(f"Internal error. {type(error).__name__}: {error}", code="20", status=500)
            )
        else:
            self._end(uuid, "success", None)
        finally:
            self._timers.pop(uuid, None)

    def _end(self, uuid: str, state: str, error: OntapError | None) -> None:
        shown = {"message": error.message, "code": error.code, "status": error.status} if error else None
        if error and error.target and shown:
            shown["target"] = error.target
        if self._world.store.get(KIND, uuid):
            self._world.store.update(KIND, uuid, state=state, error=shown, end_time=self._world.clock.iso())

    def wait(self, uuid: str, timeout_s: float) -> Record | None:
        """The finished job, or None when it is not finished in time. Jobs that finish by being read never are."""
        record, dropped = self._world.store.get(KIND, uuid), self._dropped
        deadline = time.monotonic() + timeout_s
        while record and not record["reads_left"] and (left := deadline - time.monotonic()) > 0:
            if self._dropped != dropped:
                return None
            if future := self._running.get(uuid):
                concurrent.futures.wait([future], left)
            else:
                time.sleep(0.02)
            record = self._world.store.get(KIND, uuid)
            if record and record["state"] not in _OPEN:
                return record
        return None

    def read(self, uuid: str) -> None:
        """Somebody looks at a job; in ``reads`` mode this is what makes it go on."""
        record = self._world.store.get(KIND, uuid)
        for part in (record or {}).get("parts", []):
            self.read(part)
        if record is None or record["state"] not in _OPEN or record["state"] == PAUSED or not record["reads_left"]:
            return
        left = record["reads_left"] - 1
        self._world.store.update(
            KIND, uuid, reads_left=left, reads_total=record.get("reads_total") or left + 1, state="running"
        )
        if left == 0:
            self._start(uuid).result()

    def of_volume(self, operation: str, volume: str) -> Record | None:
        """The open job that does this to a volume (uuid)."""
        for record in self.open_jobs():
            if record["operation"] == operation and record["args"].get("uuid") == volume:
                return record
        return None

    def pause(self, uuid: str) -> None:
        """Let an open job that has not come to its work yet wait for ``resume``."""
        with self._lock:
            if uuid not in self._running:
                self._stop_timer(uuid)
                self._world.store.update(KIND, uuid, state=PAUSED)

    def resume(self, uuid: str) -> None:
        record = self._world.store.get(KIND, uuid)
        if record and record["state"] == PAUSED:
            self._schedule(self._world.store.update(KIND, uuid, state="queued"))

    def hurry(self, uuid: str) -> None:
        """Do now what an open job would do at its pace."""
        self.resume(uuid)
        self._stop_timer(uuid)
        if self._world.store.get(KIND, uuid):
            self._world.store.update(KIND, uuid, reads_left=None, seconds=0)
            self._start(uuid)

    def cancel(self, uuid: str, error: OntapError) -> bool:
        """End an open job with an error; False when it has come to its work already, which then goes to its end."""
        with self._lock:
            if uuid in self._running:
                return False
            self._stop_timer(uuid)
            self._end(uuid, "failure", error)
            return True

    def _stop_timer(self, uuid: str) -> None:
        if timer := self._timers.pop(uuid, None):
            timer.cancel()

    def done_percent(self, record: Record) -> int:
        """How far an open job is, as its pace says."""
        if record["state"] == "success":
            return 100
        if record.get("reads_total"):
            return int(100 * (1 - record["reads_left"] / record["reads_total"]))
        if record["seconds"]:
            return min(99, int(100 * (time.time() - record["started_at"]) / record["seconds"]))
        return 0

    def remember(self, args: dict[str, Any], **facts: Any) -> None:
        """Keep facts with a running job: when it is done again after a kill, its args have them."""
        record = self._world.store.get(KIND, args["job"])
        if record:
            self._world.store.update(KIND, record["uuid"], args=record["args"] | facts)

    def open_jobs(self) -> list[Record]:
        found = [record for state in _OPEN for record in self._world.store.find(KIND, state=state)]
        return sorted(found, key=lambda record: record["_seq"])

    def recover(self) -> None:
        """Do again, before anybody is served, what a kill interrupted."""
        self._forget_old()
        for record in [job for job in self.open_jobs() if job["state"] != PAUSED]:
            log.warning("job %s (%s) was interrupted; it is done again", record["uuid"], record["description"])
            self._world.store.update(KIND, record["uuid"], reads_left=None, seconds=0)
            self._start(record["uuid"]).result()

    def _forget_old(self) -> None:
        closed = [record for record in self._world.store.find(KIND) if record["state"] not in _OPEN]
        for record in closed[: max(0, len(closed) - KEPT_JOBS)]:
            self._world.store.delete(KIND, record["uuid"])
            self._running.pop(record["uuid"], None)

    def stop(self) -> None:
        """Let running jobs end; what has not begun is done at the next start."""
        for timer in list(self._timers.values()):
            timer.cancel()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def drop_all(self) -> None:
        """Forget everything that is open, for a reset; nobody waits for it any longer."""
        self._dropped += 1
        for timer in list(self._timers.values()):
            timer.cancel()
        for future in list(self._running.values()):
            if not future.cancel():
                concurrent.futures.wait([future])  # however it ends
        self._running.clear()
        self._timers.clear()
