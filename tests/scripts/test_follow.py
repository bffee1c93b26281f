"""What a watcher of a run is told, from the answers of Airflow's REST API."""

from __future__ import annotations

from typing import Any

import pytest

from scripts import follow
from scripts.airflow_api import AirflowApi
from scripts.follow import RunFailed


def task(task_id: str, state: str | None, **facts: Any) -> dict[str, Any]:
    base = {"dag_id": "d", "dag_run_id": "r", "map_index": -1, "try_number": 1, "duration": None, "start_date": None}
    return base | {"task_id": task_id, "state": state, "start_date": "2026-01-01" if state else None} | facts


class Scripted(AirflowApi):
    """Answers with one state of the run after the other; the last one stays."""

    def __init__(self, *steps: tuple[str, list[dict[str, Any]]], log: list[str] | None = None) -> None:
        self.url = "http://airflow"
        self.steps = list(steps)
        self.lines = log or []

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        return {"state": self.steps[0][0]}

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        return self.steps.pop(0)[1] if len(self.steps) > 1 else self.steps[0][1]

    def log(self, task: dict[str, Any], try_number: int | None = None) -> list[str]:
        return self.lines


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "POLL_S", 0)


def test_each_change_of_state_is_one_line(capsys: pytest.CaptureFixture[str]):
    running, done = task("train", "running"), task("train", "success", duration=12.4)
    follow.follow(Scripted(("running", [running]), ("running", [running]), ("success", [done])), "d", "r")
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["d", "train", "running"],
        ["d", "train", "success", "12", "s"],
    ]


def test_a_mapped_task_is_shown_with_its_index(capsys: pytest.CaptureFixture[str]):
    follow.follow(Scripted(("success", [task("volumes", "success", map_index=2)])), "d", "r")
    assert "volumes[2]" in capsys.readouterr().out


def test_what_a_running_task_says_is_shown_once(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(follow, "LOG_EVERY_S", 0)
    running = ("running", [task("train", "running")])
    api = Scripted(running, running, running, ("success", []), log=["epoch 1", "epoch 2: loss 0.3"])
    follow.follow(api, "d", "r")
    assert capsys.readouterr().out.count("epoch 2: loss 0.3") == 1


def test_tasks_of_a_group_go_by_their_names_and_are_told_once(capsys: pytest.CaptureFixture[str]):
    def tasks(state: str, *names: str | None) -> list[dict[str, Any]]:
        return [task("train", state, map_index=i) | {"rendered_map_index": name} for i, name in enumerate(names)]

    named = ("pandas", "dask")
    states = [("running", tasks("running", None, None)), ("running", tasks("running", *named))]
    follow.follow(Scripted(*states, ("success", tasks("success", *named))), "d", "r")
    lines = [line.split()[1:3] for line in capsys.readouterr().out.splitlines()]
    assert [line for line in lines if line[1] == "running"] == [["train[0]", "running"], ["train[1]", "running"]]
    assert [line for line in lines if line[1] == "success"] == [
        ["train[pandas]", "success"],
        ["train[dask]", "success"],
    ]


def test_a_retry_is_shown_with_its_reason(capsys: pytest.CaptureFixture[str]):
    waiting = ("running", [task("sync", "up_for_retry", duration=3.0)])
    follow.follow(Scripted(waiting, ("success", []), log=["The lake does not answer."]), "d", "r")
    assert "up_for_retry 3 s\n" in (said := capsys.readouterr().out) and "The lake does not answer." in said


def test_a_failed_run_names_the_task_the_end_of_its_log_and_the_page():
    tasks = [task("later", "upstream_failed"), task("sync", "failed", map_index=1)]
    api = Scripted(("failed", tasks), log=["no", *"abcdefghijk", "The volume is full."])
    with pytest.raises(RunFailed) as caught:
        follow.follow(api, "d", "r")
    sentence = str(caught.value)
    assert sentence.startswith("Task sync of d failed. Its log ends with:\n")
    assert "The volume is full." in sentence and "no\n" not in sentence
    assert sentence.endswith("http://airflow/dags/d/runs/r/tasks/sync/mapped/1")


def test_a_run_that_never_ends_is_given_up_with_its_page():
    with pytest.raises(RunFailed, match=r"d has not ended within 0 s; look at http://airflow/dags/d/runs/r$"):
        follow.follow(Scripted(("running", [])), "d", "r", timeout_s=0)
