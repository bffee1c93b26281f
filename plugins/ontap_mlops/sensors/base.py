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


class OntapSensor(OntapOperator, BaseSensorOperator):
    """Waits for ONTAP to be in some state; what it then is, is the task's result.

    A subclass names a function of ``ontap/`` in ``look`` and gives its arguments in ``subject``. An ONTAP that does not
    answer, or not yet, is asked again for ten minutes, at most half of ``timeout``; one that refuses fails the task.

    :param poke_interval: seconds between two looks.
    :param timeout: seconds after which the task fails, or is skipped with ``soft_fail``; Airflow's own default (a week)
        if not given.
    :param deferrable: wait in the triggerer after the first look; Airflow's own default if not given. Otherwise
        ``mode`` says whether the worker slot is held (``poke``) or given up between looks (``reschedule``).
    """

    look: ClassVar[str] = ""
    """Dotted name of ``function(client, **subject)``: ``done`` and ``payload``."""

    def __init__(self, *, deferrable: bool | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.deferrable = settings.deferrable() if deferrable is None else deferrable
        self._failing_since: float | None = None

    def subject(self) -> dict[str, Any]:
        """Return the plain arguments of ``look``."""
        raise NotImplementedError

    def poke(self, context: Context) -> PokeReturnValue:
        from ontap_mlops.ontap.errors import OntapTemporaryError
        from ontap_mlops.triggers.polling import PATIENCE_S

        try:
            with self.hook.client() as client:
                answer = import_string(self.look)(client, **self.subject())
        except OntapTemporaryError as error:
            self._failing_since = self._failing_since or time.monotonic()
            if time.monotonic() - self._failing_since > min(PATIENCE_S, self.timeout / 2):
                raise
            self.log.warning("Asked again in %g s: %s", self.poke_interval, error)
            return PokeReturnValue(False)
        self._failing_since = None
        for line in answer.get("lines", ()):
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
            sentence = f"What was waited for did not come within {self.timeout:g} s."
            if self.soft_fail:
                raise AirflowSkipException(sentence) from None
            raise AirflowSensorTimeout(sentence) from None

    def _defer(self) -> None:
        from ontap_mlops.triggers.polling import PollingTrigger

        hook = {"hook": "ontap_mlops.hooks.ontap.OntapHook", "where": {"ontap_conn_id": self.ontap_conn_id}}
        self.defer(
            trigger=PollingTrigger(
                probe="ontap_mlops.hooks.looking.look",
                arguments={**hook, "function": self.look, "subject": self.subject()},
                interval_s=self.poke_interval,
                deadline=time.time() + self.timeout,
            ),
            method_name="execute_complete",
        )
