"""Runs an operator as a task of a named run would."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from airflow.sdk.bases.operator import ExecutorSafeguard


def context(run_id: str = "manual") -> dict[str, Any]:
    run_after = datetime(2026, 11, 21, tzinfo=UTC)
    return {"dag_run": SimpleNamespace(dag_id="d", run_id=run_id, run_after=run_after)}


def run(kind: type, run_id: str = "manual", /, **arguments: Any) -> Any:
    operator = kind(task_id="t", **arguments)
    ExecutorSafeguard.tracker.set(operator)
    return operator.execute(context(run_id))
