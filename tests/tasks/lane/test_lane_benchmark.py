"""TuSimple's definition of accuracy, false positives and false negatives, against cases worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.lane.benchmark import judge, lean

HEIGHTS = np.arange(240.0, 340.0, 10.0)  # ten of them


def upright(x: float, points: int = 10) -> list[float]:
    """A lane straight up, of the lowest ``points`` heights."""
    return [-2.0] * (10 - points) + [x] * points


def array(*lanes: list[float]) -> np.ndarray:
    return np.array(lanes, np.float64).reshape(-1, 10)


def test_a_lane_found_exactly():
    judged = judge(array(upright(500)), array(upright(500)), HEIGHTS)
    assert (judged.accuracy, judged.false_positives, judged.false_negatives) == (1.0, 0.0, 0.0)


@pytest.mark.parametrize(("off", "accuracy", "missed"), [(19.9, 1.0, 0.0), (20.0, 0.0, 1.0)])
def test_a_point_is_right_within_twenty_pixels(off: float, accuracy: float, missed: float):
    judged = judge(array(upright(500 + off)), array(upright(500)), HEIGHTS)
    assert (judged.accuracy, judged.false_negatives) == (accuracy, missed)


def test_in_smaller_pictures_the_distance_is_smaller_in_proportion():
    found, truth = array(upright(106)), array(upright(100))
    assert judge(found, truth, HEIGHTS, width=1280).accuracy == 1.0
    assert judge(found, truth, HEIGHTS, width=320).accuracy == 0.0, "five pixels are allowed there"


def test_a_lane_that_leans_may_be_farther_off_along_x():
    """At 45 degrees x changes as much as y, and 20 pixels across the lane are 20 * sqrt(2) = 28.28 along x."""
    truth = array(list(np.arange(100.0, 200.0, 10.0)))
    assert lean(truth[0], HEIGHTS) == pytest.approx(np.pi / 4)
    assert judge(truth + 28.2, truth, HEIGHTS).accuracy == 1.0
    assert judge(truth + 28.3, truth, HEIGHTS).accuracy == 0.0


def test_a_lane_of_which_a_fifth_is_missing_is_not_found_but_its_right_points_count():
    """Eight of ten points are right: below 85 %, so that the lane is missed and what was found is a false one."""
    judged = judge(array(upright(500, 8)), array(upright(500)), HEIGHTS)
    assert (judged.accuracy, judged.false_positives, judged.false_negatives) == (0.8, 1.0, 1.0)


def test_points_that_neither_has_count_as_right():
    judged = judge(array(upright(500, 5)), array(upright(500, 5)), HEIGHTS)
    assert judged.accuracy == 1.0
    assert judge(array(upright(540, 5)), array(upright(500, 5)), HEIGHTS).accuracy == 0.5


def test_two_true_lanes_one_found_and_two_false_ones():
    judged = judge(array(upright(500), upright(900), upright(1100)), array(upright(500), upright(700)), HEIGHTS)
    assert judged.accuracy == 0.5, "of the second lane no point is right"
    assert judged.false_positives == pytest.approx(2 / 3)
    assert judged.false_negatives == 0.5
    assert judged.found == (True, False)


def test_more_than_two_lanes_too_many_count_nothing():
    four = array(*(upright(x) for x in (100, 300, 500, 700)))
    judged = judge(four, array(upright(500)), HEIGHTS)
    assert (judged.accuracy, judged.false_positives, judged.false_negatives) == (0.0, 0.0, 1.0)
    assert judge(four[:3], array(upright(500)), HEIGHTS).accuracy == 1.0, "two too many are allowed"


def test_of_five_true_lanes_one_may_be_missing():
    truth = array(*(upright(x) for x in (100, 300, 500, 700, 900)))
    judged = judge(truth[:4], truth, HEIGHTS)
    assert (judged.accuracy, judged.false_negatives) == (1.0, 0.0)
    judged = judge(truth[:3], truth, HEIGHTS)
    assert (judged.accuracy, judged.false_negatives) == (0.75, 0.25)


def test_nothing_found_and_nothing_to_find():
    nothing = array()
    assert judge(nothing, array(upright(500)), HEIGHTS).false_negatives == 1.0
    judged = judge(nothing, nothing, HEIGHTS)
    assert (judged.accuracy, judged.false_positives, judged.false_negatives) == (0.0, 0.0, 0.0)
    assert judge(array(upright(5)), nothing, HEIGHTS).false_positives == 1.0
