"""Looks come at once, then ever more rarely, and end with the limit."""

from __future__ import annotations

import pytest

from ontap_mlops import pauses


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses made, by a clock that only they move."""
    made: list[float] = []
    monkeypatch.setattr(pauses.time, "sleep", made.append)
    monkeypatch.setattr(pauses.time, "monotonic", lambda: sum(made))
    return made


def test_pauses_grow_to_the_longest_and_none_goes_beyond_the_limit(slept: list[float]) -> None:
    count = sum(1 for _ in pauses.looks(30, longest_s=5))
    assert count == len(slept) + 1 and sum(slept) <= 30 < sum(slept) + slept[-1]
    assert slept[:3] == pytest.approx([0.1, 0.16, 0.256]) and max(slept) == 5


def test_without_time_there_is_one_look(slept: list[float]) -> None:
    assert sum(1 for _ in pauses.looks(0)) == 1 and slept == []
