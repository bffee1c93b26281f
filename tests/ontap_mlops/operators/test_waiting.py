"""Operators that wait for ONTAP: first in the worker, then in the triggerer, and what ends the wait."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred

from ontap_mlops.operators.waiting import OntapWaitingOperator
from ontap_mlops.triggers.polling import WaitTimedOut

LOOKS: list[dict[str, Any]] = []
STOPPED: list[str] = []


def look(client: Any, name: str, after: int, cursor: int = 0) -> dict[str, Any]:
    LOOKS.append({"name": name, "cursor": cursor})
    return {"done": cursor >= after, "payload": f"{name} after {cursor}", "cursor": cursor + 1, "lines": [f"{cursor}"]}


def stop(client: Any, name: str, after: int) -> None:
    STOPPED.append(name)


class OntapTestOperator(OntapWaitingOperator):
    look = f"{__name__}.look"
    cancel = f"{__name__}.stop"

    def __init__(self, *, after: int, **kwargs: Any) -> None:
        super().__init__(task_id="t", poll_interval_s=0.01, **kwargs)
        self.after = after

    def begin(self, client: Any, context: Any) -> dict[str, Any]:
        return {"name": "mirror", "after": self.after}

    def finish(self, client: Any, payload: Any, context: Any) -> Any:
        return {"said": payload}


@pytest.fixture(autouse=True)
def connected(ontap, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection())
    monkeypatch.setattr("ontap_mlops.triggers.polling.import_string", _here)
    monkeypatch.setattr("ontap_mlops.hooks.looking.import_string", _here)
    monkeypatch.setattr("ontap_mlops.operators.waiting.import_string", _here)
    LOOKS.clear()
    STOPPED.clear()


def _here(name: str) -> Any:
    from airflow.sdk.module_loading import import_string

    return {f"{__name__}.look": look, f"{__name__}.stop": stop}.get(name) or import_string(name)


def test_short_work_ends_in_the_worker():
    assert OntapTestOperator(after=2, deferrable=True).execute({}) == {"said": "mirror after 2"}
    assert [seen["cursor"] for seen in LOOKS] == [0, 1, 2]


def test_long_work_is_waited_for_in_the_triggerer_from_where_the_worker_was():
    operator = OntapTestOperator(after=3, deferrable=True, first_wait_s=0)
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute({})
    event = asyncio.run(_first_of(deferred.value.trigger))
    assert operator.execute_complete({}, event) == {"said": "mirror after 3"}
    assert [seen["cursor"] for seen in LOOKS] == [0, 1, 2, 3]


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_wait_past_its_limit_is_cancelled_and_said(deferrable: bool):
    operator = OntapTestOperator(after=10**6, deferrable=deferrable, first_wait_s=0, wait_limit_s=0.05)
    with pytest.raises((TaskDeferred, WaitTimedOut)) as ended:
        operator.execute({})
    if isinstance(ended.value, TaskDeferred):
        event = asyncio.run(_first_of(ended.value.trigger))
        with pytest.raises(WaitTimedOut):
            operator.execute_complete({}, event)
    assert STOPPED == ["mirror"]


async def _first_of(trigger: Any) -> Any:
    return (await anext(trigger.run())).payload


def test_a_kill_stops_the_work():
    operator = OntapTestOperator(after=0)
    operator.execute({})
    operator.on_kill()
    assert STOPPED == ["mirror"]
