"""Answers are kept with their date, and a service that is silent leaves what was known."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from ontap_mlops.ontap.errors import Unreachable
from ontap_mlops.ui.facts.kept import Kept
from tests.ontap_mlops.ui.conftest import Clock
from tests.until import until


@pytest.fixture
def kept(clock: Clock) -> Iterator[Kept]:
    kept = Kept(now=clock.now, clock=clock)
    yield kept
    kept.close()


def test_an_answer_is_asked_for_once_until_it_is_old_and_says_when(kept: Kept, clock: Clock) -> None:
    asked: list[int] = []
    ask = lambda: asked.append(1) or len(asked)  # noqa: E731
    first = kept.get(("x",), ask, fresh_s=30)
    assert (first.value, first.at, first.trouble) == (1, clock.now(), "")
    clock.seconds += 29
    assert kept.get(("x",), ask, fresh_s=30).value == 1
    clock.seconds += 1
    assert kept.get(("x",), ask, fresh_s=30, patience_s=30).at is not None
    until(lambda: kept.known(("x",)).value == 2)


def test_a_refresh_asks_again_but_not_within_seconds(kept: Kept, clock: Clock) -> None:
    asked: list[int] = []
    ask = lambda: asked.append(1) or len(asked)  # noqa: E731
    kept.get(("x",), ask)
    assert kept.get(("x",), ask, refresh=True).value == 1
    clock.seconds += 5
    assert kept.get(("x",), ask, refresh=True, patience_s=30).value == 2


def test_a_look_that_fails_leaves_what_was_known_with_its_date_and_a_sentence(kept: Kept, clock: Clock) -> None:
    kept.get(("x",), lambda: "known")
    known_at = clock.now()
    clock.seconds += 100

    def silent() -> str:
        raise Unreachable("ONTAP at 10.0.0.1 did not answer.")

    kept.get(("x",), silent, refresh=True, patience_s=30)
    answer = kept.known(("x",))
    assert (answer.value, answer.at) == ("known", known_at)
    assert answer.trouble == "ONTAP at 10.0.0.1 did not answer."


def test_the_text_of_an_unforeseen_error_is_not_shown(kept: Kept) -> None:
    def broken() -> str:
        raise RuntimeError("password=hunter2")

    answer = kept.get(("x",), broken, patience_s=30)
    assert answer.value is None and "RuntimeError" in answer.trouble and "hunter2" not in answer.trouble


def test_a_slow_service_keeps_nobody_waiting_and_is_asked_once_at_a_time(kept: Kept) -> None:
    go, asked = threading.Event(), []

    def slow() -> str:
        asked.append(1)
        assert go.wait(60)
        return "there"

    try:
        answers = [kept.get(("x",), slow, patience_s=0.01) for _ in range(3)]
        assert all(answer.value is None and answer.asking for answer in answers)
        assert asked == [1]
    finally:
        go.set()
    until(lambda: kept.known(("x",)).value == "there")
