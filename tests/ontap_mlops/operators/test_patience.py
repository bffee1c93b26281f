"""A task in its worker waits on while its place does not answer, as the trigger would."""

from __future__ import annotations

import pytest

from ontap_mlops.compute import watching
from ontap_mlops.compute.workload import PlaceUnavailable
from ontap_mlops.operators.workload import WorkloadOperator
from ontap_mlops.triggers import polling

JOB = {"place": "cluster", "workload": "r1-train", "host": None}


def test_looks_that_fail_are_repeated_until_one_is_answered(monkeypatch: pytest.MonkeyPatch):
    answers = iter([PlaceUnavailable("away"), PlaceUnavailable("still away"), {"done": True}])

    def look(**arguments):
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(watching, "look", look)
    task = WorkloadOperator(task_id="train", program="tasks.tyre.train", poll_interval_s=0.01)
    assert task._look(JOB, (None, "")) == {"done": True}


def test_a_place_that_stays_away_is_given_up_at_last(monkeypatch: pytest.MonkeyPatch):
    def look(**arguments):
        raise PlaceUnavailable("away for good")

    monkeypatch.setattr(watching, "look", look)
    monkeypatch.setattr(polling, "PATIENCE_S", 0.05)
    task = WorkloadOperator(task_id="train", program="tasks.tyre.train", poll_interval_s=0.01)
    with pytest.raises(PlaceUnavailable, match="away for good"):
        task._look(JOB, (None, ""))
