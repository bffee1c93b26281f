"""A worker that dies at any moment leaves a program that the next try finds: same result, and it ran exactly once.

Workers are real processes, forked so that each need not import Airflow anew, and die by SIGKILL.
"""

from __future__ import annotations

import json
import os
import signal
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
from airflow.sdk.bases.operator import ExecutorSafeguard

from ontap_mlops.compute.kinds import local
from ontap_mlops.operators.workload import WorkloadOperator
from tests.until import until

PROGRAM = """
import json, os, sys, time
from pathlib import Path
runs = Path(__file__).with_name("runs")
with runs.open("a") as file:
    file.write("ran\\n")
time.sleep(0.5)
Path(os.environ["RESULT_FILE"]).write_text(json.dumps({"runs": len(runs.read_text().split())}))
"""


class Store:
    """Like Airflow's, it outlives the worker."""

    def __init__(self, path: Path, die_at: str) -> None:
        self.path, self.die_at = path, die_at

    def get(self, key: str, default: Any = None) -> Any:
        return json.loads(self.path.read_text()).get(key, default) if self.path.exists() else default

    def set(self, key: str, value: Any) -> None:
        die_if(self.die_at == "before the name is stored")
        self.path.write_text(json.dumps({key: value}))
        die_if(self.die_at == "before submit")


def die_if(now: bool) -> None:
    if now:
        os.kill(os.getpid(), signal.SIGKILL)


def die_around(owner: Any, method: str, *, before: bool = False, after: bool = False) -> None:
    """Let ``owner.method`` be the last thing this worker does, or the first that it does not."""
    original = getattr(owner, method)

    def call(*args: Any, **kwargs: Any) -> Any:
        die_if(before)
        value = original(*args, **kwargs)
        die_if(after)
        return value

    setattr(owner, method, call)


class Workers:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "program.py").write_text(PROGRAM)
        (folder / "compute.yaml").write_text(
            f"places:\n  local: {{kind: local, working_directory: {folder}, grace_s: 1}}\n"
        )

    def start(self, die_at: str, max_tries: int) -> int:
        pid = os.fork()
        if pid == 0:
            self._work(die_at, max_tries)
        return pid

    def dies(self, die_at: str, max_tries: int = 3) -> None:
        _, status = os.waitpid(self.start(die_at, max_tries), 0)
        assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL

    def result(self, max_tries: int = 3) -> dict:
        _, status = os.waitpid(self.start("never", max_tries), 0)
        assert os.waitstatus_to_exitcode(status) == 0
        return json.loads((self.folder / "xcom.json").read_text())

    @property
    def runs(self) -> int:
        path = self.folder / "runs"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def _work(self, die_at: str, max_tries: int) -> NoReturn:
        try:
            os.setsid()
            die_around(local.subprocess, "run", before=die_at == "inside submit, before the process")
            die_around(local.LocalRunner, "submit", after=die_at == "after submit")
            die_around(local.LocalRunner, "result", before=die_at == "after the program's end")
            context: Any = {
                "ti": SimpleNamespace(
                    max_tries=max_tries, map_index=-1, stats_tags={}, xcom_push=lambda key, value: None
                ),
                "dag_run": SimpleNamespace(dag_id="d", run_id="manual", run_after=datetime(2026, 7, 1, tzinfo=UTC)),
                "task_state_store": Store(self.folder / "store.json", die_at),
            }
            operator = WorkloadOperator(task_id="train", program="program", time_limit=60, poll_interval_s=0.1)
            ExecutorSafeguard.tracker.set(operator)
            (self.folder / "xcom.json").write_text(json.dumps(operator.execute(context)))
            os._exit(0)
        finally:
            os._exit(1)


@pytest.fixture
def workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workers:
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__WORKLOADS_DIR", str(tmp_path / "workloads"))
    return Workers(tmp_path)


@pytest.mark.parametrize(
    "moment",
    [
        "before the name is stored",
        "before submit",
        "inside submit, before the process",
        "after submit",
        "after the program's end",
    ],
)
def test_a_worker_killed_at_this_moment_changes_nothing(workers: Workers, moment: str) -> None:
    workers.dies(moment)
    assert workers.result() == {"runs": 1}
    assert workers.runs == 1


def test_a_worker_killed_while_the_program_runs_changes_nothing(workers: Workers) -> None:
    first = workers.start("never", 3)
    until(lambda: workers.runs, "the program does not start")
    os.killpg(first, signal.SIGKILL)
    os.waitpid(first, 0)
    assert workers.result() == {"runs": 1}
    assert workers.runs == 1


def test_clearing_the_task_runs_the_program_anew_even_if_a_worker_dies_on_the_way(workers: Workers) -> None:
    assert workers.result(max_tries=3) == {"runs": 1}
    workers.dies("before submit", max_tries=7)
    assert workers.result(max_tries=7) == {"runs": 2}
    assert workers.result(max_tries=7) == {"runs": 2}
