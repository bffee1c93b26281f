"""The base of sensors on ONTAP: one look, called again and again, in a worker or in the triggerer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk.bases.sensor import BaseSensorOperator, PokeReturnValue
from airflow.sdk.exceptions import AirflowSensorTimeout, AirflowSkipException
from airflow.sdk.module_loading import import_string

from ontap_mlops import settings
from ontap_mlops.operators.base import OntapOperator

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.triggers.base import BaseTrigger

    from ontap_mlops.ontap.client import Client


class OntapSensor(OntapOperator, BaseSensorOperator):
    """Waits for ONTAP to be in some state; what it then is, is the task's result.

    A subclass names a function of ``ontap/`` in ``look`` and gives its arguments in ``subject``. Where many wait for
    one cluster, it names ``survey`` and ``judge``: all that wait in the triggerer share one survey. An ONTAP that does
    not answer, or not yet, is asked again for ten minutes, at most half of ``timeout``; one that refuses fails the
    task. What is waited for stands in the log, a sentence each time that it changes.

    :param poke_interval: seconds between two looks.
    :param timeout: seconds after which the task fails, or is skipped with ``soft_fail``; Airflow's own default (a week)
        if not given.
    :param deferrable: wait in the triggerer after the first look; Airflow's own default if not given. Otherwise
        ``mode`` says whether the worker slot is held (``poke``) or given up between looks (``reschedule``).
    """

    look: ClassVar[str] = ""
    """Dotted name of ``function(client, **subject)``: ``done``, ``payload`` and, of a wait, ``lines``."""

    survey: ClassVar[str] = ""
    """Dotted name of ``function(client, **place)``: what is found out at once for all who wait at one place."""

    judge: ClassVar[str] = ""
    """Dotted name of ``function(found, **subject)``, which answers as ``look`` does and asks nothing."""

    def __init__(self, *, deferrable: bool | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.deferrable = settings.deferrable() if deferrable is None else deferrable
        self._failing_since: float | None = None
        self._said: list[str] = []

    def subject(self) -> dict[str, Any]:
        """Return the plain arguments of ``look``, or of ``judge``."""
        raise NotImplementedError

    def place(self) -> dict[str, Any]:
        """Return the plain arguments of ``survey``."""
        return {"svm": self.hook.svm()}

    def poke(self, context: Context) -> PokeReturnValue:
        from ontap_mlops.ontap.errors import OntapTemporaryError
        from ontap_mlops.triggers.polling import PATIENCE_S

        try:
            with self.hook.client() as client:
                answer = self._answer(client)
        except OntapTemporaryError as error:
            self._failing_since = self._failing_since or time.monotonic()
            if time.monotonic() - self._failing_since > min(PATIENCE_S, self.timeout / 2):
                raise
            self.log.warning("Asked again in %g s: %s", self.poke_interval, error)
            return PokeReturnValue(False)
        self._failing_since = None
        if (lines := [*answer.get("lines", ())]) != self._said:
            self._said = lines
            for line in lines:
                self.log.info("%s", line)
        return PokeReturnValue(answer["done"], answer.get("payload"))

    def execute(self, context: Context) -> Any:
        if not self.deferrable:
            return super().execute(context)
        first = self.poke(context)
        if not first.is_done:
            self._defer()
        return first.xcom_value

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        from ontap_mlops.triggers.polling import WaitTimedOut, outcome

        try:
            return outcome(event)
        except WaitTimedOut:
            last = event["timed_out"] if self.survey else ""
            sentence = f"What was waited for did not come within {self.timeout:g} s. {last}".strip()
            if self.soft_fail:
                raise AirflowSkipException(sentence) from None
            raise AirflowSensorTimeout(sentence) from None

    def _answer(self, client: Client) -> dict[str, Any]:
        if self.look:
            return import_string(self.look)(client, **self.subject())
        return import_string(self.judge)(import_string(self.survey)(client, **self.place()), **self.subject())

    def _defer(self) -> None:
        self.defer(trigger=self._trigger(time.time() + self.timeout), method_name="execute_complete")

    def _trigger(self, deadline: float) -> BaseTrigger:
        from ontap_mlops.triggers.polling import PollingTrigger
        from ontap_mlops.triggers.together import WaitingTogetherTrigger

        when: dict[str, Any] = {"interval_s": self.poke_interval, "deadline": deadline}
        if self.survey:
            return WaitingTogetherTrigger(
                survey=self.survey,
                place=self.place(),
                judge=self.judge,
                subject=self.subject(),
                ontap_conn_id=self.ontap_conn_id,
                **when,
            )
        hook = {"hook": "ontap_mlops.hooks.ontap.OntapHook", "where": {"ontap_conn_id": self.ontap_conn_id}}
        arguments = {**hook, "function": self.look, "subject": self.subject()}
        return PollingTrigger(probe="ontap_mlops.hooks.looking.look", arguments=arguments, **when)
