"""What is told of what was looked at: last figures, their age, and what went wrong."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from scripts.exporter import subjects
from scripts.exporter.looking import Figures, Told, Watch


class Shelf:
    """A subject of two sources, each of which gives what ``answers`` says, or raises it."""

    kind, every_s, kept_looks = "shelf", 60.0, 1
    metrics = {"books": Told("Books.", ("shelf",)), "lent": Told("Books lent.", ("shelf",), counter=True)}

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {"upper": 3, "lower": 0}
        self.wrong: Exception | None = None

    def sources(self) -> Any:
        if self.wrong:
            raise self.wrong
        return {name: lambda name=name: self._look(name) for name in self.answers}

    def _look(self, name: str) -> Figures:
        if isinstance(self.answers[name], Exception):
            raise self.answers[name]
        figures = Figures()
        for metric in self.metrics:
            figures.put(metric, name, value=self.answers[name])
        return figures


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def now() -> list[float]:
    return [100.0]


@pytest.fixture
def watch(shelf: Shelf, now: list[float]) -> Watch:
    return Watch([shelf], clock=lambda: now[0])


def told(watch: Watch) -> dict[tuple[str, ...], float]:
    registry = CollectorRegistry()
    registry.register(watch)
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {
        (one.name.removeprefix("ontap_mlops_"), *(value for _, value in sorted(one.labels.items()))): one.value
        for family in families
        for one in family.samples
        if not one.name.endswith("_created")
    }


def test_before_the_first_look_nothing_is_told(watch: Watch) -> None:
    assert told(watch) == {}


def test_a_zero_that_was_counted_is_told_like_any_number(watch: Watch) -> None:
    watch.look()
    found = told(watch)
    assert (found["books", "upper"], found["books", "lower"], found["lent_total", "upper"]) == (3, 0, 3)
    assert found["source_up", "lower", "shelf"] == 1


def test_a_failed_look_leaves_the_last_figures_with_their_age_and_says_what_failed(
    watch: Watch, shelf: Shelf, now: list[float]
) -> None:
    watch.look()
    shelf.answers["upper"] = TimeoutError("password=geheim")
    now[0] += 70
    watch.look()
    found = told(watch)
    assert found["books", "upper"] == 3
    assert (found["source_age_seconds", "upper", "shelf"], found["source_age_seconds", "lower", "shelf"]) == (70, 0)
    assert found["source_last_error", "TimeoutError", "upper", "shelf"] == 1
    assert (found["source_up", "upper", "shelf"], found["source_errors_total", "upper", "shelf"]) == (0, 1)
    assert not any("geheim" in part for key in found for part in key)


def test_after_more_failures_nothing_is_told_rather_than_something_old_or_a_zero(watch: Watch, shelf: Shelf) -> None:
    watch.look()
    shelf.answers["upper"] = TimeoutError()
    for _ in range(2):
        watch.look()
    found = told(watch)
    assert ("books", "upper") not in found and ("books", "lower") in found
    assert found["source_errors_total", "upper", "shelf"] == 2
    shelf.answers["upper"] = 4
    watch.look()
    assert told(watch)["books", "upper"] == 4
    assert ("source_last_error", "TimeoutError", "upper", "shelf") not in told(watch)


def test_a_source_that_has_never_answered_has_no_age_and_no_figures(watch: Watch, shelf: Shelf) -> None:
    shelf.answers = {"upper": ValueError()}
    watch.look()
    assert {key[0] for key in told(watch)} == {
        "source_up", "source_errors_total", "source_last_error", "source_look_seconds"
    }  # fmt: skip


def test_a_wrong_file_is_a_source_that_failed_and_the_others_stay(watch: Watch, shelf: Shelf) -> None:
    watch.look()
    shelf.wrong = ValueError("line 3")
    watch.look()
    found = told(watch)
    assert found["source_up", "configuration", "shelf"] == 0
    assert found["books", "upper"] == 3
    shelf.wrong = None
    watch.look()
    assert ("source_up", "configuration", "shelf") not in told(watch)


def test_every_metric_is_named_as_prometheus_asks_and_only_once() -> None:
    listed = list(subjects.listed())
    names = [name for _, name, _ in listed]
    assert len(names) == len(set(names))
    for source, name, metric in listed:
        assert name.endswith("_total") == metric.counter, name
        assert metric.text.endswith((".", "0 if by another or none.")), name
        assert not name.endswith(("_ms", "_minutes", "_percent", "_mb", "_s")), f"{name}: base units only"
        assert not set(metric.labels) & {"job", "instance", "le", "quantile"}, (source, name)


def test_without_one_of_those_who_may_need_it_nothing_is_said_to_be_reclaimable() -> None:
    for left_out in ("storage", "airflow", "serving"):
        assert "reclaim" not in [subject.kind for subject in subjects.chosen([left_out])]
    assert "reclaim" in [subject.kind for subject in subjects.chosen(["projects"])]
