"""Showing how a DAG run gets on: a table that changes in place for a person, a line per change for a log."""

from __future__ import annotations

import sys
import time
from typing import Any

from scripts.airflow_api import AirflowApi

POLL_S = 1.0
LOG_EVERY_S = 5.0
LOG_LINES = 12
LINE = 160  # characters of a log line that are shown
DONE = ("success", "failed", "skipped", "upstream_failed", "removed")
MARKS = {"success": "✓", "failed": "✗", "skipped": "-", "running": "▸", "up_for_retry": "↻", "upstream_failed": "-"}


class RunFailed(Exception):
    """A DAG run did not succeed; the text names the task, the end of its log and where to look."""


def follow(api: AirflowApi, dag_id: str, run_id: str, timeout_s: float = 1800) -> None:
    """Show the run until it has succeeded. Raises RunFailed."""
    show = _Live(dag_id) if sys.stdout.isatty() else _Lines(dag_id)
    deadline = time.monotonic() + timeout_s
    with show:
        while True:
            run, tasks = api.run(dag_id, run_id), _in_order(api.tasks(dag_id, run_id))
            show.update(tasks, lambda task: (api.log(task) or [""])[-1])
            if run["state"] in ("success", "failed"):
                break
            if time.monotonic() > deadline:
                link = api.run_link(dag_id, run_id)
                raise RunFailed(f"{dag_id} has not ended within {timeout_s:.0f} s; look at {link}")
            time.sleep(POLL_S)
    if run["state"] == "failed":
        raise RunFailed(failure(api, dag_id, run_id, tasks))


def failure(api: AirflowApi, dag_id: str, run_id: str, tasks: list[dict[str, Any]]) -> str:
    failed = next((task for task in tasks if task["state"] == "failed"), None)
    if failed is None:
        return f"{dag_id} failed; look at {api.run_link(dag_id, run_id)}"
    lines = "\n".join(f"  {line}" for line in api.log(failed)[-LOG_LINES:])
    return (
        f"Task {failed['task_id']} of {dag_id} failed. Its log ends with:\n{lines}\nAll of it: {api.task_link(failed)}"
    )


def _in_order(tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return those that have started first, in that order."""
    return sorted(tasks, key=lambda task: (task["start_date"] is None, task["start_date"] or "", task["task_id"]))


def name(task: dict[str, Any]) -> str:
    """Return the task's id, for one of several with what tells it from the others, such as ``train[pandas]``."""
    if task["map_index"] < 0:
        return task["task_id"]
    return f"{task['task_id']}[{(task.get('rendered_map_index') or '').strip() or task['map_index']}]"


def _key(task: dict[str, Any]) -> tuple[str, int]:
    """What stays the same while a task runs: its name in words comes with its first line."""
    return task["task_id"], task["map_index"]


def seconds(task: dict[str, Any]) -> str:
    """Return the duration of the try that is over; nothing while one runs."""
    return f"{task['duration']:.0f} s" if task["duration"] and task["state"] != "running" else ""


class _Lines:
    """Print, for logs and pipes, one line when a task changes state, and what a running one says every few seconds."""

    def __init__(self, dag_id: str) -> None:
        self.dag_id = dag_id
        self.states: dict[tuple[str, int], str | None] = {}
        self.said: dict[str, str] = {}
        self.next_log = time.monotonic() + LOG_EVERY_S

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None

    def update(self, tasks: list[dict[str, Any]], last_line: Any) -> None:
        for task in tasks:
            if task["state"] != self.states.get(_key(task)) and task["state"] in ("running", "up_for_retry", *DONE):
                print(f"  {self.dag_id:<19} {name(task):<22} {task['state']:<9} {seconds(task)}".rstrip(), flush=True)
                if task["state"] == "up_for_retry" and (line := last_line(task)):
                    print(f"  {'':<19} {'':<22} {line[:LINE]}", flush=True)
            self.states[_key(task)] = task["state"]
        if time.monotonic() < self.next_log:
            return
        self.next_log = time.monotonic() + LOG_EVERY_S
        for task in tasks:
            line = last_line(task) if task["state"] == "running" else ""
            if line and line != self.said.get(name(task)):
                self.said[name(task)] = line
                print(f"  {'':<19} {name(task):<22} {line[:LINE]}", flush=True)


class _Live:
    """Show a person all tasks of the run, with the newest line of the log of those that run."""

    def __init__(self, dag_id: str) -> None:
        from rich.live import Live

        self.dag_id = dag_id
        self.live = Live(refresh_per_second=4, transient=False)
        self.lines: dict[str, str] = {}
        self.next_log = 0.0

    def __enter__(self) -> None:
        self.live.start()

    def __exit__(self, *_: object) -> None:
        self.live.stop()

    def update(self, tasks: list[dict[str, Any]], last_line: Any) -> None:
        from rich.table import Table
        from rich.text import Text

        if time.monotonic() > self.next_log:
            self.next_log = time.monotonic() + LOG_EVERY_S / 2
            self.lines = {name(task): last_line(task) for task in tasks if task["state"] == "running"}
        table = Table("", self.dag_id, "", "", box=None, padding=(0, 1))
        for task in tasks:
            line = self.lines.get(name(task), "") if task["state"] == "running" else ""
            mark = MARKS.get(task["state"] or "", " ")
            table.add_row(mark, name(task), seconds(task), Text(line, overflow="ellipsis", no_wrap=True, style="dim"))
        self.live.update(table)
