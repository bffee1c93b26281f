"""What every line of a task's log carries where logs are JSON: which run, which task, which data.

Airflow's own lines have it too, since both go through structlog; as text, lines stay as they are.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from ontap_mlops import names

_KEY, _VERSION = "run_key", "dataset_version"


@contextlib.contextmanager
def of_task(context: Any) -> Iterator[None]:
    """Bind the facts of a task for as long as it works; nothing where they are bound already, or logs are text."""
    import structlog

    before = structlog.contextvars.get_contextvars()
    facts = _facts(context) if _KEY not in before and _is_json() else {}
    if not facts:
        yield
        return
    with structlog.contextvars.bound_contextvars(**facts, **{_VERSION: before.get(_VERSION, "")}):
        yield


def tell_version(version_id: str) -> None:
    """Let the lines from here on name the dataset version that the task works with."""
    import structlog

    if _KEY in structlog.contextvars.get_contextvars():
        structlog.contextvars.bind_contextvars(**{_VERSION: version_id})


def _is_json() -> bool:
    from airflow.sdk.configuration import conf

    return bool(conf.getboolean("logging", "json_logs", fallback=False))


def _facts(context: Any) -> dict[str, str]:
    if not isinstance(context, Mapping) or "dag_run" not in context or context.get("ti") is None:
        return {}
    task, run = context["ti"], context["dag_run"]
    key = names.run_key(run.dag_id, run.run_id, run.run_after)
    return {"dag_id": task.dag_id, "run_id": task.run_id, "task_id": task.task_id, _KEY: key}
