"""Time travel on the first day: versions of the last days by the emulator's clock, and backfills over these days.

A day's version is made two hours before the day begins, so that the run of that date finds it. Days that lie before a
version that is there already get none: what is past stays as it was.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from ontap_mlops.ontap import dataset_versions
from scripts.embedded import environment, secrets
from scripts.follow import RunFailed, follow

if TYPE_CHECKING:
    from scripts.pipeline import Demo
    from scripts.services import Stack

MADE_BEFORE = timedelta(hours=2)
ACTIVE_RUNS = 2
METRICS = ("accuracy", "f1", "roc_auc")


def up_to(most: int) -> Callable[[str], int]:
    """Return what reads a number of days from the command line."""

    def read(text: str) -> int:
        if not text.isdecimal() or not 1 <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is no number of days from 1 to {most}")
        return int(text)

    return read


def last(count: int, today: date) -> list[date]:
    """Return the ``count`` days before today, oldest first."""
    return [today - timedelta(days=back) for back in range(count, 0, -1)]


def made_at(day: date) -> datetime:
    return datetime.combine(day, time(), UTC) - MADE_BEFORE


@contextlib.contextmanager
def moved_clock(stack: Stack) -> Iterator[Callable[[datetime], None]]:
    """Give a function that sets ONTAP's clock. Afterwards it is right again: after an error, Ctrl-C and SIGTERM too."""
    marker = _marker(stack)
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit("Stopped."))
    try:
        marker.touch()
        yield lambda now: _put_clock(stack, {"now": now.isoformat()})
    finally:
        put_back(stack)
        signal.signal(signal.SIGTERM, before)


def put_back(stack: Stack) -> None:
    """Set ONTAP's clock right where a demo has moved it, or one that was killed has left it moved."""
    if _marker(stack).exists():
        _put_clock(stack, {"offset_s": 0})
        _marker(stack).unlink()


def _marker(stack: Stack) -> Path:
    return stack.layout.local / "clock-moved"


def _put_clock(stack: Stack, body: dict[str, Any]) -> None:
    with httpx.Client(
        auth=(environment.ADMIN, secrets.get(stack.layout, secrets.ONTAP_ADMIN)),
        verify=ssl.create_default_context(cafile=stack.layout.ontap_ca),
        trust_env=False,
        timeout=60,
    ) as client:
        client.put(f"{stack.urls['ontap']}/emulator/clock", json=body).raise_for_status()


def today() -> date:
    return datetime.now(UTC).date()


def make_versions(demo: Demo, count: int, next_day: Callable[[], None] | None = None) -> None:
    """Make a version for each of the last days, each of its day's data; the lake then holds the next day's data.

    :param next_day: brings that of the next day, after each version; as the demo does where it is not given.
    """
    demo.api.pause(demo.system.train_dag)  # so that only today's version starts a training
    newest = max((dataset_versions.when(version) for version in demo.versions()), default=None)
    with moved_clock(demo.stack) as set_clock:
        for day in last(count, today()):
            if newest is not None and newest >= made_at(day):
                print(f"         {day}: a version of {newest:%Y-%m-%d %H:%M} is there, so none is made before it.")
                continue
            demo.begin(
                f"version of {day}", f"{demo.system.ingest_dag}: ONTAP's clock says {made_at(day):%Y-%m-%d %H:%M}"
            )
            set_clock(made_at(day))
            demo.run_ingest()
            if next_day:
                next_day()
            else:
                demo.number += 1
                demo.fill_lake()
            demo.end()


def backfill(demo: Demo, count: int) -> list[dict[str, Any]]:
    """Train each of the last days on the version of its day; return a row for each, oldest first. Raises RunFailed."""
    return [row(day, summary) for day, summary in backfilled(demo, demo.system.train_dag, "summary", count)]


def backfilled(demo: Demo, dag_id: str, told_by: str, count: int) -> list[tuple[date, Any]]:
    """Run a DAG for each of the last days by a backfill; return what the task of each run returned, None where nothing.

    Oldest first. Raises RunFailed.
    """
    days = last(count, today())
    asked = ["backfill", "create", "--dag-id", dag_id, "--from-date", f"{days[0]}", "--to-date", f"{days[-1]}"]
    demo.begin("backfill", f'make airflow ARGS="{" ".join(asked)}"')
    command = [sys.executable, "-m", "airflow", *asked, "--max-active-runs", f"{ACTIVE_RUNS}"]
    done = subprocess.run(command, env=demo.stack.env(), capture_output=True, text=True)
    if done.returncode:
        raise RunFailed(f"The backfill was refused: {(done.stderr or done.stdout).strip().splitlines()[-1]}")
    found = []
    for day in days:
        run_id = demo.wait_for(partial(demo.api.run_of_date, dag_id, day))
        if run_id is None:
            raise RunFailed(
                f"The backfill has started no run of {dag_id} for {day}; look at {demo.stack.urls['airflow']}"
            )
        follow(demo.api, dag_id, run_id)
        found.append((day, demo.api.xcom(dag_id, run_id, told_by)))
    demo.end()
    return found


def row(day: date, summary: dict[str, Any] | None) -> dict[str, Any]:
    """Return what came of a date; version and metrics are None where its run had nothing to train on."""
    if summary is None:
        return {"date": f"{day}", "version": None, "files": None, "metrics": {}}
    version = summary["dataset_version"]
    metrics = summary["metrics"].get("challenger") or {}
    return {"date": f"{day}", "version": version["id"], "files": version["files"], "metrics": metrics}


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Set date, version and metrics in lines; [] without rows."""
    if not rows:
        return []
    head = f"  {'date':<12}{'trained on version':<30}{'files':>6}" + "".join(f"{name:>10}" for name in METRICS)
    return ["Back in time: each date trained on the version of its day", head, *map(_line, rows)]


def _line(row: dict[str, Any]) -> str:
    if row["version"] is None:
        return f"  {row['date']:<12}nothing: there was no version yet"
    values = "".join(f"{row['metrics'][n]:>10.3f}" if n in row["metrics"] else f"{'-':>10}" for n in METRICS)
    return f"  {row['date']:<12}{row['version']:<30}{row['files']:>6}{values}"
