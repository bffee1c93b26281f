"""Two samples differ by more than chance and by enough to matter, or they do not; what cannot be told is no alarm."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from tasks.drift.sample import Pair, Reservoir, Sample
from tasks.drift.statistics import auc_interval, compare_columns, compare_concept, tell_apart
from tasks.drift.verdict import CONCEPT, DATA, NONE, NOT_KNOWN, Limits, judge

COLUMNS = 6


def sample(rows: int, seed: int, *, shift: float = 0.0, flip: float = 0.0, harder: float = 0.0, **other: Any) -> Sample:
    """Rows of a champion that knows chances as they are: ``shift`` moves a column, ``flip`` is a share of answers that
    have turned, ``harder`` brings chances nearer to a half."""
    random = np.random.default_rng(seed)
    columns = {f"I{number}": random.normal(size=rows) + (shift if number == 0 else 0) for number in range(COLUMNS)}
    sure = random.uniform(0.5, 1, rows) * (1 - harder) + 0.5 * harder
    right = random.random(rows) < sure
    turned = random.random(rows) < flip
    facts: dict[str, Any] = {"rows": rows, "columns": columns, "chances": sure, "figures": (right ^ turned) * 1.0}
    return Sample(**{**facts, **other})


def verdict_of(before: Sample, after: Sample, **limits: Any):
    return judge(Pair(before, after, "accuracy", 1, "confidence"), Limits(**limits))


def test_thirty_stable_days_raise_no_alarm() -> None:
    before = sample(4000, 0)
    verdicts = [verdict_of(before, sample(600, day)) for day in range(1, 31)]
    assert [verdict.drift for verdict in verdicts] == [NONE] * 30
    assert not any(verdict.alarm for verdict in verdicts)


def test_a_moved_column_is_data_drift_and_a_turned_relation_is_concept_drift() -> None:
    before = sample(4000, 0)
    moved = verdict_of(before, sample(600, 1, shift=0.6))
    assert (moved.drift, moved.alarm) == (DATA, True)
    assert moved.columns[0].name == "I0" and [c.name for c in moved.columns if c.drifted] == ["I0"]
    turned = verdict_of(before, sample(600, 1, flip=0.3))
    assert (turned.drift, turned.alarm) == (CONCEPT, True)
    assert turned.concept is not None and turned.concept.unexplained.high < -0.03
    assert "Concept drift: accuracy" in turned.reason and "The inputs are as they were." in turned.reason
    both = verdict_of(before, sample(600, 1, shift=0.6, flip=0.3))
    assert both.drift == "data and concept"


def test_what_the_champion_expects_of_harder_rows_is_no_concept_drift() -> None:
    """It is less right, and says so itself: the relation has not changed."""
    told = verdict_of(sample(6000, 0), sample(2000, 1, harder=0.6))
    assert told.concept is not None
    assert told.concept.change.high < -0.03, "plainly less right"
    assert told.drift == DATA and "the champion's confidence" in told.reason


def test_a_difference_beyond_chance_that_does_not_matter_is_no_drift() -> None:
    before, after = sample(60_000, 0), sample(60_000, 1, shift=0.1)
    (first, *_) = verdict_of(before, after).columns
    assert first.name == "I0" and first.p < 0.001 and first.distance < 0.1 and not first.drifted


def test_a_great_difference_of_few_rows_is_left_to_chance() -> None:
    random = np.random.default_rng(3)
    before, after = {"a": random.normal(size=30)}, {"a": random.normal(size=30) + 0.4}
    (column,) = compare_columns(before, after, alpha=0.001, effect=0.1)
    assert column.distance > 0.1 and not column.drifted


def test_few_rows_and_rows_without_labels_are_said_and_raise_no_alarm() -> None:
    before = sample(4000, 0)
    few = verdict_of(before, sample(99, 1, shift=5))
    assert (few.drift, few.alarm) == (NOT_KNOWN, False) and "There are 99 new rows, and fewer than 100" in few.reason
    few = verdict_of(sample(40, 1), sample(600, 1, shift=5))
    assert few.drift == NOT_KNOWN and "There are 40 old rows" in few.reason
    unlabelled = sample(600, 1, flip=0.5, figures=np.full(600, np.nan))
    told = verdict_of(before, unlabelled)
    assert told.drift == NONE and told.concept is None
    assert told.not_judged == [
        "Concept drift is not judged: 4000 old and 0 new rows have a label and were not trained on, and 100 are needed."
    ]


def test_an_alarm_is_of_the_kinds_that_are_asked_for() -> None:
    before = sample(4000, 0)
    told = verdict_of(before, sample(600, 1, shift=0.6), alarm_on=[CONCEPT])
    assert (told.drift, told.alarm) == (DATA, False)
    assert verdict_of(before, sample(600, 1, flip=0.3), alarm_on=[CONCEPT]).alarm


def test_an_embedding_that_has_moved_is_told_from_the_old_one() -> None:
    random = np.random.default_rng(1)
    before, alike = random.normal(size=(400, 40)), random.normal(size=(150, 40))
    same = tell_apart(before, alike, alpha=0.001)
    assert same.low < 0.5 < same.high + 0.1 and same.low < 0.55
    moved = alike + np.linspace(0, 0.8, 40)
    apart = tell_apart(before, moved, alpha=0.001)
    assert apart.low > 0.7
    old, new = sample(400, 0, embedding=before), sample(150, 1, embedding=moved)
    assert "new rows are told from old ones" in verdict_of(old, new).reason


def test_the_interval_of_an_auc_holds_the_true_one() -> None:
    """Scores of two normal distributions one deviation apart have an AUC of 0.7602."""
    held = 0
    for seed in range(200):
        random = np.random.default_rng(seed)
        scores = np.concatenate([random.normal(size=80), random.normal(1, size=60)])
        found = auc_interval(scores, np.arange(140) >= 80, alpha=0.1)
        held += found.low <= 0.7602 <= found.high
    assert 165 <= held <= 195


@pytest.mark.parametrize("chances", [np.full(500, 0.5), np.repeat([0.0, 1.0], 250)])
def test_chances_that_are_all_alike_or_of_two_kinds_make_strata(chances: Any) -> None:
    random = np.random.default_rng(1)
    old, new = random.random(500), random.random(500)
    found = compare_concept((chances, old), (chances, new), better=1, alpha=0.001)
    assert found.unexplained.low < 0 < found.unexplained.high


def test_less_of_a_loss_is_better() -> None:
    before = sample(2000, 0)
    worse = dataclasses.replace(before, figures=before.figures + 0.2)
    told = judge(Pair(before, worse, "log loss", -1, "chance"), Limits())
    assert told.drift == CONCEPT and told.concept is not None and told.concept.change.value == pytest.approx(-0.2)


def test_every_row_has_the_same_chance_to_be_kept_and_the_choice_is_repeated() -> None:
    def kept(seed: int) -> Any:
        reservoir = Reservoir(200, seed)
        for start in range(0, 1000, 90):
            rows = np.arange(start, min(start + 90, 1000), dtype=np.float32)
            reservoir.add(rows, rows * 2)
        first, second = reservoir.rows()
        assert (second == first * 2).all() and len(set(first.tolist())) == 200
        return first

    assert (kept(1) == kept(1)).all()
    means = [kept(seed).mean() for seed in range(40)]
    assert 480 < np.mean(means) < 520
