"""Lines of a task name run, task and data where logs are JSON, and only there."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from ontap_mlops.operators import log_context, telling
from tests.ontap_mlops.operators.run_context import VERSION

RUN = SimpleNamespace(dag_id="d", run_id="manual__1", run_after=datetime(2026, 11, 20, tzinfo=UTC))
CONTEXT = {"dag_run": RUN, "ti": SimpleNamespace(dag_id="d", run_id="manual__1", task_id="t")}


class Task:
    log = structlog.get_logger()

    @telling.told
    def execute(self, context: Any) -> dict[str, Any]:
        log_context.tell_version(VERSION.id)
        return dict(structlog.contextvars.get_contextvars())


@pytest.fixture(params=["True", "False"])
def as_json(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setenv("AIRFLOW__LOGGING__JSON_LOGS", request.param)
    structlog.contextvars.clear_contextvars()
    return request.param == "True"


def test_what_a_task_logs_names_run_task_and_data(as_json: bool) -> None:
    bound = Task().execute(CONTEXT)
    if as_json:
        key = bound.pop("run_key")
        assert key.startswith("r20261120t000000z")
        assert bound == {"dag_id": "d", "run_id": "manual__1", "task_id": "t", "dataset_version": VERSION.id}
    else:
        assert bound == {}, "lines for people are not made longer"


def test_after_the_task_nothing_of_it_is_left_also_when_it_fails(as_json: bool) -> None:
    class Failing(Task):
        @telling.told
        def execute(self, context: Any) -> dict[str, Any]:
            super().execute(context)
            raise RuntimeError("so")

    with pytest.raises(RuntimeError):
        Failing().execute(CONTEXT)
    assert structlog.contextvars.get_contextvars() == {}


def test_a_method_that_is_called_without_a_run_works_as_before(as_json: bool) -> None:
    for context in (None, {}, {"ti": None}, SimpleNamespace()):
        assert "run_key" not in Task().execute(context)
