"""Figures of a model alone and behind its recogniser, and words that a recogniser misses."""

from __future__ import annotations

import pytest

from tasks.calls import scoring, wording
from tasks.calls.scoring import Answered, compare, intervals, score
from tasks.common.program import BadInput

NEGATIVE, NEUTRAL, POSITIVE = range(3)
GOOD = [
    Answered("a", NEGATIVE, NEGATIVE, NEGATIVE, 0, 5),
    Answered("a", POSITIVE, POSITIVE, NEUTRAL, 2, 4),
    Answered("b", NEUTRAL, NEUTRAL, NEUTRAL, 0, 6),
    Answered("b", POSITIVE, NEGATIVE, NEGATIVE, 1, 5),
    Answered("c", NEUTRAL, NEUTRAL),
]


def test_figures_are_those_of_the_definitions():
    found = score(GOOD).figures()
    assert found["accuracy"] == 4 / 5
    assert found["pipeline_difference"] == (0 + 1 + 0 + 2) / 4, "of labels and what was heard"
    assert found["recognition_difference"] == (0 + 1 + 0 + 0) / 4, "of what was said and what was heard"
    assert found["word_error_rate"] == 3 / 20
    f1 = [2 * 1 / 3, 2 * 2 / 4, 2 * 1 / 3]
    assert found["macro_f1"] == pytest.approx(sum(f1) / 3)
    assert found["macro_precision"] == pytest.approx((1 / 2 + 1 + 1) / 3)
    assert found["macro_recall"] == pytest.approx((1 + 1 + 1 / 2) / 3)


def test_who_says_neutral_of_everything_wins_only_where_it_compares_with_itself():
    silent = score([Answered(a.call, a.true, NEUTRAL, None if a.heard is None else NEUTRAL) for a in GOOD])
    assert silent.figures()["recognition_difference"] == 0
    assert silent.figures()["pipeline_difference"] == 3 / 4 and silent.figures()["macro_f1"] < 0.3


def test_without_a_recording_there_is_no_pipeline():
    found = score([Answered("a", NEUTRAL, NEUTRAL)])
    assert set(found.figures()) == {"macro_f1", "macro_precision", "macro_recall", "accuracy"} and found.spoken == 0


def test_a_call_is_drawn_whole():
    answers = [Answered(call, true, true, heard) for call, true, heard in [("a", 0, 0)] * 50 + [("b", 0, 2)] * 50]
    low, high = intervals(score(answers), 0.95)["pipeline_difference"]
    # A hundred sentences, and yet only two calls: everything is possible.
    assert (low, high) == (0, 2)


def test_a_gain_is_positive_where_a_difference_is_smaller():
    calls = [f"c{number}" for number in range(12)]
    worse = score([Answered(call, NEGATIVE, POSITIVE, POSITIVE, 0, 1) for call in calls])
    better = score([Answered(call, NEGATIVE, NEGATIVE, NEUTRAL, 0, 1) for call in calls])
    found = compare(better, worse, 0.95)
    assert found["pipeline_difference"]["gain"] == found["pipeline_difference"]["low"] == 1
    assert found["recognition_difference"]["gain"] == -1 and found["macro_f1"]["gain"] == 1
    assert all(gain["gain"] == 0 for gain in compare(worse, worse, 0.95).values())
    with pytest.raises(BadInput, match="--confidence is 95"):
        compare(better, worse, 95)


@pytest.mark.parametrize(
    ("true", "found", "wrong"),
    [
        ("You charged me ninety euros.", "you charged me 90 euros", 0),
        ("I'll check Zelora now", "I will check the order now", 2),
        ("One moment please", "", 3),
        ("please", "One moment please", 2),
    ],
)
def test_word_errors_do_not_count_ways_of_writing(true: str, found: str, wrong: int):
    assert wording.word_errors(true, found)[0] == wrong


def test_words_that_are_missed_more_often_than_heard_are_hints():
    pairs = [
        ("I will check Zelora.", "I will check the laura."),
        ("Zelora costs ninety euros.", "Zellower costs 90 euros."),
        ("My Zelora is down.", "My Zelora is down."),
        ("I have Kestrix.", "I have cast rex."),
        ("Is the router on?", "Is the router on?"),
    ]
    assert wording.missed(pairs) == ("Zelora",), "Kestrix once only, and a number is no name"
    assert wording.missed([*pairs, *pairs], most=1) == ("Zelora",)
    assert set(wording.missed([*pairs, *pairs])) == {"Zelora", "Kestrix"}
    assert scoring.told({"a": 0.5}) == "a 0.500"
