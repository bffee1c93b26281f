"""The one trigger: it calls a plain function until that says the wait is over, and holds no worker slot meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

from airflow.sdk.module_loading import import_string
from airflow.triggers.base import BaseTrigger, TriggerEvent

from ontap_mlops.clouds.errors import TooBusy, Unreachable
from ontap_mlops.compute.following import show
from ontap_mlops.compute.workload import PlaceUnavailable
from ontap_mlops.hooks.rest import ServiceUnavailable
from ontap_mlops.kubernetes.errors import KubernetesTemporaryError
from ontap_mlops.ontap.errors import OntapTemporaryError
from ontap_mlops.slurm.errors import SlurmTemporaryError

_SHARE = 1 / 50  # of the time a wait has lasted, by which its end may be noticed late
PATIENCE_S = 600.0  # how long looks may fail in a row before the wait is given up
PASSING = (
    OntapTemporaryError,
    ServiceUnavailable,
    PlaceUnavailable,
    Unreachable,
    TooBusy,
    KubernetesTemporaryError,
    SlurmTemporaryError,
    OSError,
)


class WaitFailed(RuntimeError):
    """The wait ended by an error whose own class could not be raised again."""


class WaitTimedOut(RuntimeError):
    """What was waited for was not over at the deadline; it has been cancelled where that is possible."""


class PollingTrigger(BaseTrigger):
    """Calls ``probe(**arguments)`` in a thread, every ``interval_s``, until its answer is done; then fires once.

    The answer is a mapping:

    ===========  ======================================================================================================
    ``done``     true when the wait is over
    ``payload``  what the task gets then, plain values
    ``lines``    lines for the task's log (optional)
    ``cursor``   given back to the next call as ``cursor=`` (optional)
    ``facts``    what can be told of it while it goes on, by name (optional; see ``fact_keys``)
    ===========  ======================================================================================================

    An error that may pass (ONTAP, a cluster, a service or a place not reachable, OSError) is logged and the probe
    called again, for ``PATIENCE_S`` in a row; any other ends the wait. A user's kill, and the deadline, call
    ``cancel(**arguments)``; a restart of the triggerer does not. The resumed task gets the payload, or the error, from
    ``outcome(event)``.

    :param probe: dotted name of a function; it may call hooks, which fetch their connections as in a task.
    :param arguments: plain values for probe and cancel.
    :param interval_s: seconds between two calls.
    :param slower_s: seconds that may lie between two calls of a wait that lasts long: a fiftieth of the time it has
        lasted, between ``interval_s`` and this. None keeps to ``interval_s``.
    :param deadline: seconds since 1970 at which the wait ends; None for never.
    :param cancel: dotted name of a function that stops what is waited for; None where nothing is to be stopped.
    :param fact_keys: facts to store at the waiting task as XCom, each under the key given here, such as a link's.
    :param cursor: for the first call; None leaves it out.
    """

    def __init__(
        self,
        probe: str,
        arguments: Mapping[str, Any],
        interval_s: float = 5.0,
        deadline: float | None = None,
        cancel: str | None = None,
        fact_keys: Mapping[str, str] | None = None,
        cursor: Any = None,
        slower_s: float | None = None,
    ) -> None:
        super().__init__()
        self.probe = probe
        self.arguments = dict(arguments)
        self.interval_s = interval_s
        self.deadline = deadline
        self.cancel = cancel
        self.fact_keys = dict(fact_keys or {})
        self.cursor = cursor
        self.slower_s = slower_s
        self._told: dict[str, Any] = {}

    def serialize(self) -> tuple[str, dict[str, Any]]:
        names = ("probe", "arguments", "interval_s", "deadline", "cancel", "fact_keys", "cursor", "slower_s")
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        try:
            yield TriggerEvent(await self._wait())
        except Exception as error:
            yield TriggerEvent(failure(error))

    async def on_kill(self) -> None:
        if self.cancel is not None:
            await asyncio.to_thread(import_string(self.cancel), **self.arguments)

    async def _wait(self) -> dict[str, Any]:
        failing_since: float | None = None
        begun = time.monotonic()
        while True:
            try:
                answer = await self._look()
            except PASSING as error:
                failing_since = failing_since or time.monotonic()
                if time.monotonic() - failing_since > PATIENCE_S:
                    raise
                self.log.warning("Asked again in %g s: %s", self.interval_s, error)
            else:
                failing_since = None
                if answer["done"]:
                    return {"payload": answer.get("payload")}
            if self.deadline is not None and time.time() > self.deadline:
                return await self._given_up()
            await asyncio.sleep(self.pause(time.monotonic() - begun))

    def pause(self, lasted_s: float) -> float:
        """Seconds until the next call, of a wait that has lasted so long."""
        return max(self.interval_s, min(lasted_s * _SHARE, self.slower_s or 0))

    async def _look(self) -> Mapping[str, Any]:
        arguments = self.arguments if self.cursor is None else {**self.arguments, "cursor": self.cursor}
        answer = await asyncio.to_thread(import_string(self.probe), **arguments)
        self.cursor = answer.get("cursor", self.cursor)
        for line in answer.get("lines", ()):
            show(self.log, line)
        await self._tell(answer.get("facts") or {})
        return answer

    async def _tell(self, facts: Mapping[str, Any]) -> None:
        """Store facts at the task that waits. What cannot be stored is a button less, no reason to stop waiting."""
        from airflow.sdk.execution_time.xcom import XCom

        ti: Any = self.task_instance
        for name, value in facts.items():
            if ti is None or name not in self.fact_keys or self._told.get(name) == value:
                continue
            where = {"dag_id": ti.dag_id, "task_id": ti.task_id, "run_id": ti.run_id, "map_index": ti.map_index}
            try:
                await XCom.aset(key=self.fact_keys[name], value=value, **where)
            except Exception as error:
                self.log.warning("The task's %s could not be stored: %s", name, error)
            self._told[name] = value

    async def _given_up(self) -> dict[str, Any]:
        try:
            await self.on_kill()
        except Exception as error:
            return {"timed_out": f"cancelling it failed: {error}"}
        return {"timed_out": "it was cancelled" if self.cancel else "it was left as it is"}


def failure(error: Exception) -> dict[str, Any]:
    """Return the event of a wait that ends with this error, from which ``outcome`` raises it again."""
    kind = type(error)
    return {"error": {"kind": f"{kind.__module__}.{kind.__qualname__}", "message": str(error)}}


def outcome(event: Mapping[str, Any] | None) -> Any:
    """Return the payload of a finished wait.

    Raises the probe's own error, by its class, so that the retry policy decides on it as if it had been raised in the
    task; WaitTimedOut past the deadline.
    """
    if event is None:
        raise WaitFailed("The wait ended without saying how; look at the triggerer's log.")
    if "timed_out" in event:
        raise WaitTimedOut(f"The wait was not over at its deadline; {event['timed_out']}.")
    if "error" in event:
        raise _error(event["error"]["kind"], event["error"]["message"])
    return event["payload"]


def _error(kind: str, message: str) -> Exception:
    try:
        error = import_string(kind)(message)
    except Exception:
        error = None
    return error if isinstance(error, Exception) else WaitFailed(f"{kind.rpartition('.')[2]}: {message}")
