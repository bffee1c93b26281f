"""Annotations as FDDB writes them, and average precision by its definition."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tasks.common.program import BadInput
from tasks.faces import ellipses, fddb, judging
from tasks.faces.ellipses import Annotated, Ellipse
from tasks.faces.fddb import CONTINUOUS, DISCRETE, Found

# As FDDB's own files look, with two blanks before the last number.
LISTED = """2002/08/11/big/img_591
1
123.583300 85.549500 1.265839 269.693400 161.781200  1
2002/08/26/big/img_265
0
"""


def found(chances, overlaps, faces):
    return Found(np.array(chances, float), np.array(overlaps, float).reshape(len(chances), faces), faces)


def precision(pictures, score=DISCRETE, threshold=0.0, weights=None):
    return fddb.Ranked.of(fddb.steps(pictures, score)).average_precision(threshold, weights)[0]


def test_lists_are_read_as_they_are_and_written_as_they_are_read():
    first, second = ellipses.read(LISTED, 1, "list")
    assert first.name == "2002/08/11/big/img_591" and second.faces == ()
    assert first.faces[0] == Ellipse(123.5833, 85.5495, 1.265839, 269.6934, 161.7812)
    assert ellipses.write([first, second]) == LISTED


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a/b\nmany\n", "list, line 2: the number of faces of a/b"),
        ("a/b\n2\n1 1 0 5 5 1\n", "ends after 1 of the 2 faces of a/b"),
        ("a/b\n1\n1 1 0 five 5 1\n", "list, line 3: five numbers of an ellipse"),
        ("a/b\n1\n0 1 0 5 5 1\n", "radii above 0"),
        ("a/b\n1\nnan 1 0 5 5 1\n", "radii above 0"),
    ],
)
def test_a_line_that_says_something_else_is_named(text, said):
    with pytest.raises(BadInput, match="(?s)" + said):
        ellipses.read(text, 1, "list")


def test_the_box_and_the_area_of_an_ellipse_that_is_turned():
    upright, turned = Ellipse(10, 5, 0, 20, 20), Ellipse(10, 5, math.pi / 2, 20, 20)
    assert upright.box == pytest.approx((10, 15, 30, 25)) and turned.box == pytest.approx((15, 10, 25, 30))
    assert upright.mask(40, 40).sum() == pytest.approx(math.pi * 50, rel=0.03)


def test_overlap_is_the_area_of_both_over_that_of_either():
    large, small = Ellipse(20, 20, 0, 50, 50), Ellipse(10, 10, 0, 50, 50)
    assert fddb.overlap(large, large) == 1
    assert fddb.overlap(large, small) == pytest.approx(0.25, abs=0.02)
    assert fddb.overlap(small, Ellipse(10, 10, 0, 80, 50)) == 0


def test_each_face_is_matched_once_so_that_the_sum_of_overlaps_is_greatest():
    # The surer detection would take the other's only face; together they match both.
    both = found([0.9, 0.8], [[0.9, 0.7], [0.8, 0.0]], 2)
    assert precision([both]) == 1
    twice = found([0.9, 0.8], [[0.9], [0.9]], 1)
    assert precision([twice]) == 1, "the second detection of the face comes after all of it was found"
    assert precision([found([0.9, 0.8], [[0.0], [0.9]], 1)]) == 0.5, "the surest one is wrong"


def test_the_discrete_score_counts_matches_the_continuous_one_their_overlap():
    picture = found([0.9], [[0.6]], 1)
    assert precision([picture]) == 1
    assert precision([picture], CONTINUOUS) == pytest.approx(0.36), "0.6 of precision over 0.6 of recall"
    assert precision([found([0.9], [[0.5]], 1)]) == 0, "a half is not more than a half"


def test_detections_below_the_threshold_do_not_count():
    picture = found([0.9, 0.4], [[0.9, 0], [0, 0.9]], 2)
    assert precision([picture], threshold=judging.THRESHOLD) == 0.5
    assert precision([picture], threshold=judging.HALVED) == 1


def test_a_picture_without_a_face_can_only_be_wrong():
    good, empty = found([0.8], [[0.9]], 1), found([0.9], [], 0)
    assert precision([good]) == 1 and precision([good, empty]) == 0.5
    assert precision([empty]) == 0 and precision([]) == 0


def test_a_picture_that_counts_twice_is_as_good_as_one_that_is_there_twice():
    one, other = found([0.9, 0.3], [[0.9, 0], [0, 0]], 2), found([0.6], [[0.2]], 1)
    assert precision([one, one, other]) == pytest.approx(precision([one, other], weights=np.array([[2.0, 1.0]])))


def test_the_figures_name_their_thresholds():
    said = judging.told(judging.Curves.of([found([0.4], [[0.9]], 1)]).figures())
    assert said == ("AP 0.0000 at threshold 0.5, 1.0000 at the halved one (0.25), 0.0000 by the continuous score")


def test_names_of_the_lists_are_fddbs():
    assert ellipses.names(3) == ("FDDB-folds/FDDB-fold-03.txt", "FDDB-folds/FDDB-fold-03-ellipseList.txt")
    assert ellipses.fold_of("FDDB/FDDB-folds/FDDB-fold-10-ellipseList.txt") == 10
    assert ellipses.fold_of("FDDB-folds/FDDB-fold-10.txt") is None
    assert ellipses.write([Annotated("a", 1, ())]) == "a\n0\n"
