"""The trigger of tasks that wait for a state of one cluster: however many wait, it is asked once an interval."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow.sdk.module_loading import import_string
from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from ontap_mlops.triggers.polling import PASSING, PATIENCE_S, failure


@dataclass(frozen=True)
class Seen:
    """What a look brought for all who share it, or the error that it ended with."""

    found: Any = None
    error: Exception | None = None


class WaitingTogetherTrigger(BaseEventTrigger):
    """Fires once, when ``judge(found, **subject)`` says that the wait is over.

    ``found`` is what ``survey(client, **place)`` returns, called in a thread every ``interval_s``, once for all that
    have survey, place, connection and interval in common. Answers and errors are those of ``polling.PollingTrigger``,
    and so is what the resumed task gets: ``polling.outcome(event)``.

    :param survey: dotted name of a function.
    :param place: its plain arguments.
    :param judge: dotted name of a function that asks nothing of ONTAP; a line that it repeats is logged once.
    :param subject: its plain arguments.
    :param deadline: seconds since 1970 at which the wait ends; None for never.
    """

    def __init__(
        self,
        *,
        survey: str,
        place: Mapping[str, Any],
        judge: str,
        subject: Mapping[str, Any],
        ontap_conn_id: str,
        interval_s: float = 60.0,
        deadline: float | None = None,
    ) -> None:
        super().__init__()
        self.survey = survey
        self.place = dict(place)
        self.judge = judge
        self.subject = dict(subject)
        self.ontap_conn_id = ontap_conn_id
        self.interval_s = interval_s
        self.deadline = deadline
        self._said: list[str] = []
        self._failing_since: float | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        names = ("survey", "place", "judge", "subject", "ontap_conn_id", "interval_s", "deadline")
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}

    def shared_stream_key(self) -> Hashable:
        place = tuple(sorted(self.place.items()))
        return type(self).__qualname__, self.survey, place, self.ontap_conn_id, float(self.interval_s)

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[Seen]:
        while True:
            try:
                seen = Seen(await asyncio.to_thread(_look, kwargs["survey"], kwargs["place"], kwargs["ontap_conn_id"]))
            except Exception as error:  # each who waits judges for itself for how long it may go on
                seen = Seen(error=error)
            yield seen
            await asyncio.sleep(float(kwargs["interval_s"]))

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Seen]) -> AsyncIterator[TriggerEvent]:
        try:
            async for seen in shared_stream:
                if (event := self._learn(seen)) is not None:
                    yield TriggerEvent(event)
                    return
        except Exception as error:
            yield TriggerEvent(failure(error))

    async def run(self) -> AsyncIterator[TriggerEvent]:
        async for event in self.filter_shared_stream(type(self).open_shared_stream(self.serialize()[1])):
            yield event

    def _learn(self, seen: Seen) -> dict[str, Any] | None:
        if seen.error is not None:
            self._bear(seen.error)
        else:
            self._failing_since = None
            answer = import_string(self.judge)(seen.found, **self.subject)
            if answer["done"]:
                return {"payload": answer.get("payload")}
            self._say([*answer.get("lines", ())])
        if self.deadline is not None and time.time() > self.deadline:
            return {"timed_out": " ".join(self._said) or "it was left as it is"}
        return None

    def _bear(self, error: Exception) -> None:
        self._failing_since = self._failing_since or time.monotonic()
        if not isinstance(error, PASSING) or time.monotonic() - self._failing_since > PATIENCE_S:
            raise error
        self.log.warning("Asked again in %g s: %s", self.interval_s, error)

    def _say(self, lines: list[str]) -> None:
        if lines != self._said:
            self._said = lines
            for line in lines:
                self.log.info("%s", line)


def _look(survey: str, place: Mapping[str, Any], ontap_conn_id: str) -> Any:
    from ontap_mlops.hooks.ontap import OntapHook

    with OntapHook(ontap_conn_id).client() as client:
        return import_string(survey)(client, **place)
