"""What is written down, and what goes, when a workload has ended at a place that keeps nothing."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ontap_mlops.compute import places, submission, watching
from ontap_mlops.compute.workload import PlaceUnavailable

JOB = {"place": "cluster", "workload": "r1-train", "host": None, "generation": 0, "round": 1}


class Runner:
    host = None

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.reached = True

    def result(self, name: str) -> dict:
        self.calls.append("result")
        return {"loss": 1}

    def cancel(self, name: str) -> None:
        self.calls.append("cancel")

    def remove(self, name: str) -> None:
        self.calls.append("remove")
        if not self.reached:
            raise PlaceUnavailable("the cluster is away")


class Store(dict):
    def set(self, key: str, value: object) -> None:
        self[key] = value


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> Runner:
    made = Runner()
    place = SimpleNamespace(keeps_ended=False)
    monkeypatch.setattr(places, "runner", lambda given: made)
    monkeypatch.setattr(places, "place", lambda given: place)
    made.place = place
    return made


def test_the_result_is_written_down_before_the_place_forgets_it(runner):
    store = Store()
    kept = submission.Submission(store, "workload", 0)
    assert kept.settle(JOB) == {"loss": 1}
    assert runner.calls == ["result", "remove"]
    assert store["workload"] == {**JOB, "result": {"loss": 1}}


def test_a_try_after_a_worker_died_in_between_takes_what_was_written_down_and_forgets_again(runner):
    kept = submission.Submission(Store(), "workload", 0)
    assert kept.settle({**JOB, "result": {"loss": 2}}) == {"loss": 2}
    assert runner.calls == ["remove"]


def test_a_place_that_cannot_be_reached_any_more_does_not_cost_the_result(runner):
    runner.reached = False
    assert submission.Submission(None, "workload", 0).settle(JOB) == {"loss": 1}


def test_a_place_that_keeps_what_ended_is_left_as_it_is(runner):
    runner.place.keeps_ended = True
    assert submission.Submission(Store(), "workload", 0).settle(JOB) == {"loss": 1}
    watching.cancel("cluster", "r1-train")
    assert runner.calls == ["result", "cancel"]


def test_what_is_cancelled_goes_where_nothing_is_kept(runner):
    watching.cancel("cluster", "r1-train")
    assert runner.calls == ["cancel", "remove"]
