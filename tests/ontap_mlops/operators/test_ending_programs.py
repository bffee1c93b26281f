"""What a run's tasks have begun and not seen to its end is stopped before the run's workspace goes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ontap_mlops.compute import places
from ontap_mlops.compute.workload import PlaceUnavailable, State
from ontap_mlops.operators.ending import WORKLOAD, end_programs
from ontap_mlops.operators.programs_end import ProgramsEndOperator
from tests.ontap_mlops.operators.workloads import elsewhere, started_with
from tests.until import until


@pytest.fixture
def begun(folder, context) -> Any:
    """The program of a task whose worker died: it runs on, and the task waits for its retry."""
    name = started_with(context, "0", "60", "done")
    until(lambda: places.runner("local").status(name).state is State.RUNNING, "the program does not start")
    yield SimpleNamespace(name=name, job=context["ti"].pushed[WORKLOAD])
    places.runner("local").cancel(name)


def later(task_id: str, *jobs: Any) -> Any:
    """The context of a teardown of the same run, in which that task has begun those programs."""

    def pull(*, task_ids: list[str], key: str) -> list[Any]:
        assert key == WORKLOAD
        return [job for task in task_ids for job in (jobs if task == task_id else [None])]

    return {"ti": SimpleNamespace(xcom_pull=pull), "dag": SimpleNamespace(task_ids=["choose", task_id, "summary"])}


@pytest.mark.parametrize("states", [{"train.fit": "skipped"}, {"train.fit": "failed"}, {"train.fit_0": "failed"}])
def test_a_program_whose_task_is_over_is_stopped(begun: Any, states: dict[str, str]) -> None:
    end_programs(later("train.fit", begun.job), {"choose": "success", "summary": "skipped", **states})
    assert places.runner("local").status(begun.name).state is State.CANCELLED


def test_what_a_worker_had_no_time_to_remove_is_removed(begun: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker was killed after it had stopped the program, at a place that keeps nothing."""
    places.runner("local").cancel(begun.name)
    monkeypatch.setattr(type(places.place("local")), "keeps_ended", False)
    end_programs(later("train.fit", begun.job), {"train.fit": "failed"})
    assert places.runner("local").status(begun.name).state is State.MISSING


@pytest.mark.parametrize("state", ["success", "running", "deferred", "up_for_retry", "queued", "None"])
def test_a_program_whose_task_goes_on_is_left_alone(begun: Any, state: str) -> None:
    end_programs(later("train.fit", begun.job), {"train.fit": state, "summary": "skipped"})
    assert places.runner("local").status(begun.name).state is State.RUNNING


@pytest.mark.parametrize(("state", "after"), [("skipped", State.CANCELLED), ("up_for_retry", State.RUNNING)])
def test_a_teardown_ends_the_programs_of_a_dag_without_a_workspace(begun: Any, state: str, after: State) -> None:
    context = later("train.fit", begun.job)
    context["dag_run"] = SimpleNamespace(dag_id="d", run_id="manual")
    context["ti"].get_task_states = lambda *, dag_id, run_ids: {run: {"train.fit": state} for run in run_ids}
    end = ProgramsEndOperator(task_id="end_programs").as_teardown()
    end.execute(context)
    assert places.runner("local").status(begun.name).state is after


def test_a_teardown_that_cannot_tell_which_tasks_are_over_stops_nothing_and_tries_again(begun: Any) -> None:
    context = later("train.fit", begun.job)
    context["dag_run"] = SimpleNamespace(dag_id="d", run_id="manual")
    with pytest.raises(RuntimeError, match="is not known, so no program is stopped"):
        ProgramsEndOperator(task_id="end_programs").execute(context)
    assert places.runner("local").status(begun.name).state is State.RUNNING


def test_what_another_host_alone_can_reach_is_named(begun: Any, monkeypatch, caplog) -> None:
    with monkeypatch.context() as patched:
        elsewhere(patched, "another-host")
        end_programs(later("train.fit", begun.job), {"train.fit": "failed"})
    assert f"What may run as workload {begun.name} is not stopped: workload" in caplog.text
    assert places.runner("local").status(begun.name).state is State.RUNNING


def test_a_place_that_does_not_answer_is_for_a_retry(begun: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: Any) -> None:
        raise PlaceUnavailable("it does not answer")

    with monkeypatch.context() as patched:
        patched.setattr(type(places.runner("local")), "status", silent)
        with pytest.raises(PlaceUnavailable):
            end_programs(later("train.fit", begun.job), {"train.fit": "failed"})
