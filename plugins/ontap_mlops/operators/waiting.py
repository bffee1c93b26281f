"""The base of operators on work that takes a service long: begun once, waited for without a worker slot."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk.module_loading import import_string

from ontap_mlops import settings
from ontap_mlops.compute.following import show
from ontap_mlops.operators.base import MlopsOperator, OntapOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

# To come back from the triggerer costs some 3 s (a process that loads Airflow, measured on 2 cores), which would be a
# lot for short work and is at most a tenth after this time.
FIRST_WAIT_S = 30.0
CANCEL_WAIT_S = 2.0  # Airflow kills a task some five seconds after its SIGTERM


class WaitingOperator(MlopsOperator):
    """Begins work in a service, waits for its end in the worker for a while and then in the triggerer.

    A subclass says what it does in ``begin`` and what it returns in ``finish``; between the two, ``look`` is called
    again and again. The service itself remembers what has begun, so a retry, or a task whose worker died, finds it in
    ``begin`` and joins it; nothing is kept beside.

    :param wait_limit_s: seconds after which the wait ends with an error; what ``cancel`` names is called then. None
        waits as long as the service works.
    :param poll_interval_s: seconds between two looks.
    :param deferrable: wait in the triggerer after the first half minute; Airflow's own default if not given.
    """

    look: ClassVar[str] = ""
    """Dotted name of ``function(client, **subject)``: ``done``, ``payload``, ``lines`` and ``cursor`` as a
    ``PollingTrigger`` wants them. It takes ``cursor=`` when it gives one."""

    cancel: ClassVar[str] = ""
    """Dotted name of ``function(client, **subject)`` that stops the work; empty where it is to go on by itself."""

    hook_class: ClassVar[str] = ""
    """Dotted name of the hook, whose ``client()`` is a context manager."""

    service: ClassVar[str] = "the service"
    """Who goes on with the work when the wait is given up."""

    def __init__(
        self,
        *,
        wait_limit_s: float | None = None,
        poll_interval_s: float = 5.0,
        deferrable: bool | None = None,
        first_wait_s: float = FIRST_WAIT_S,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.wait_limit_s = wait_limit_s
        self.poll_interval_s = poll_interval_s
        self.deferrable = settings.deferrable() if deferrable is None else deferrable
        self.first_wait_s = first_wait_s
        self._subject: dict[str, Any] | None = None

    hook: Any

    def where(self) -> dict[str, Any]:
        """Return the plain arguments with which ``hook_class`` is made; a triggerer makes its own."""
        raise NotImplementedError

    def begin(self, client: Any, context: Context) -> dict[str, Any]:
        """Begin the work, or find it begun or done, and return the plain arguments of ``look``."""
        raise NotImplementedError

    def finish(self, client: Any, payload: Any, context: Context) -> Any:
        """Return what the task returns, from the last look's ``payload``."""
        return payload

    def execute(self, context: Context) -> Any:
        with self.hook.client() as client:
            self._subject = self.begin(client, context)
            return self._wait(client, self._subject, context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        from ontap_mlops.triggers.polling import outcome

        payload = outcome(event)
        with self.hook.client() as client:
            return self.finish(client, payload, context)

    def _wait(self, client: Any, subject: dict[str, Any], context: Context) -> Any:
        function = import_string(self.look)
        began, cursor, pause = time.monotonic(), None, min(0.1, self.poll_interval_s)
        while True:
            answer = function(client, **subject, **({} if cursor is None else {"cursor": cursor}))
            for line in answer.get("lines", ()):
                show(self.log, line)
            if answer["done"]:
                return self.finish(client, answer.get("payload"), context)
            cursor, waited = answer.get("cursor", cursor), time.monotonic() - began
            if self.deferrable and waited >= self.first_wait_s:
                self._defer(subject, cursor, waited)
            if self.wait_limit_s is not None and waited > self.wait_limit_s:
                self._give_up(client, subject)
            time.sleep(pause)
            pause = min(pause * 1.5, self.poll_interval_s)

    def _defer(self, subject: Mapping[str, Any], cursor: Any, waited_s: float) -> None:
        from ontap_mlops.triggers.polling import PollingTrigger

        self.defer(
            trigger=PollingTrigger(
                probe="ontap_mlops.hooks.looking.look",
                cancel="ontap_mlops.hooks.looking.cancel" if self.cancel else None,
                arguments=self._plainly(subject),
                interval_s=self.poll_interval_s,
                deadline=None if self.wait_limit_s is None else time.time() + self.wait_limit_s - waited_s,
                cursor=cursor,
            ),
            method_name="execute_complete",
        )

    def _plainly(self, subject: Mapping[str, Any]) -> dict[str, Any]:
        """Return what ``hooks.looking`` needs, in values that a trigger can keep."""
        said = {"function": self.look, "subject": dict(subject), "stop": self.cancel}
        return {"hook": self.hook_class, "where": self.where(), **said}

    def _give_up(self, client: Any, subject: Mapping[str, Any]) -> None:
        from ontap_mlops.triggers.polling import WaitTimedOut

        if self.cancel:
            import_string(self.cancel)(client, **subject)
        said = "it was cancelled" if self.cancel else f"{self.service} goes on with it"
        raise WaitTimedOut(f"The wait was not over after {self.wait_limit_s:g} s; {said}.")

    def on_kill(self) -> None:
        """Cancel, in a thread: this is called from a signal's handler, maybe in the midst of a call."""
        from ontap_mlops.hooks.looking import cancel

        if self.cancel and self._subject is not None:
            stopping = threading.Thread(target=cancel, kwargs=self._plainly(self._subject))
            stopping.start()
            stopping.join(CANCEL_WAIT_S)


class OntapWaitingOperator(WaitingOperator, OntapOperator):
    """The same for work in ONTAP, on the connection ``ontap_conn_id``; ``look`` is a function of ``ontap/``.

    Parameters as those of ``WaitingOperator``.
    """

    hook_class = "ontap_mlops.hooks.ontap.OntapHook"
    service = "ONTAP"

    def where(self) -> dict[str, Any]:
        return {"ontap_conn_id": self.ontap_conn_id}
