"""Workload operators on small programs, their contexts, and what comes after a deferral."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from airflow.sdk.bases.operator import ExecutorSafeguard
from airflow.sdk.exceptions import TaskDeferred

from ontap_mlops.compute import places
from ontap_mlops.operators.workload import WorkloadOperator
from ontap_mlops.triggers.polling import PollingTrigger


def operator(*arguments: Any, **fields: Any) -> WorkloadOperator:
    fields = {
        "program": "program",
        "task_id": "train.fit",
        "poll_interval_s": 0.05,
        "first_wait_s": 0,
        "deferrable": False,
        **fields,
    }
    made = WorkloadOperator(arguments=fields.pop("arguments", list(arguments)), **fields)
    ExecutorSafeguard.tracker.set(made)
    return made


def name_of(made: WorkloadOperator, context: Any) -> str:
    return made.workload(context).name


def started_with(context: Any, *arguments: str) -> str:
    made = operator(*arguments, deferrable=True)
    deferred(made, context)
    return name_of(made, context)


def deferred(made: WorkloadOperator, context: Any) -> Any:
    with pytest.raises(TaskDeferred) as raised:
        made.execute(context)
    assert isinstance(raised.value.trigger, PollingTrigger)
    json.dumps(raised.value.kwargs)
    return raised.value


def resumed(made: WorkloadOperator, context: Any, left: Any) -> Any:
    return getattr(made, left.method_name)(context, event=fired(left.trigger), **left.kwargs)


def fired(trigger: Any) -> dict[str, Any]:
    event = asyncio.run(anext(aiter(trigger.run())))
    return json.loads(json.dumps(event.payload))


def elsewhere(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setattr(type(places.runner("local")), "host", host)


def shown(capsys: pytest.CaptureFixture, caplog: pytest.LogCaptureFixture, *among: str) -> list[str]:
    """Which of these words a task or trigger has logged since the last call."""
    captured = capsys.readouterr()
    words = f"{captured.out} {captured.err} {caplog.text}".split()
    caplog.clear()
    return [word for word in among or ("one", "tw", "two", "three") if word in words]
