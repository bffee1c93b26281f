"""Operator that ends at a time that another task has named."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ontap_mlops import settings
from ontap_mlops.operators.base import MlopsOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class WaitUntilOperator(MlopsOperator):
    """Wait until a moment, in the triggerer and without a worker slot. Mark it as success to go on earlier.

    :param until: ISO 8601 time with its zone, or a task's result that has one as ``until``. One in the past ends the
        task at once.
    :param deferrable: wait in the triggerer; Airflow's own default if not given.
    """

    template_fields: Sequence[str] = ("until",)

    def __init__(self, *, until: Any, deferrable: bool | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.until = until
        self.deferrable = settings.deferrable() if deferrable is None else deferrable

    def execute(self, context: Context) -> None:
        moment = moment_of(self.until["until"] if isinstance(self.until, Mapping) else self.until)
        self.log.info("Waiting until %s", moment.isoformat())
        if self.deferrable and moment > datetime.now(UTC):
            from airflow.providers.standard.triggers.temporal import DateTimeTrigger

            self.defer(trigger=DateTimeTrigger(moment), method_name="execute_complete")
        while (left := (moment - datetime.now(UTC)).total_seconds()) > 0:
            time.sleep(min(left, 60))

    def execute_complete(self, context: Context, event: Any) -> None:
        self.log.info("The time has come")


def moment_of(text: str) -> datetime:
    """Raises ValueError for what is no time with a zone."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        raise ValueError(f"{text!r} is no time; give one such as 2026-12-01T18:00:00+00:00") from None
    if moment.tzinfo is None:
        raise ValueError(f"the time {text} has no zone; give one such as {text}+00:00")
    return moment
