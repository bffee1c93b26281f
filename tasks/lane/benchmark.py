"""How good found lanes are, by TuSimple's own definition (its lane benchmark's evaluation, LaneEval).

A point is right when it is less than 20 pixels from the true one, in pictures 1,280 wide, measured across the lane: the
steeper a lane leans, the farther it may be off along x. A lane is found when 85 % of its points are right; a point that
neither side has counts as right. With more than four true lanes one may be missing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tasks.common.metrics import Floats

PIXELS, WIDTH = 20.0, 1280
"""How far off a point may be, in pictures of this width; in others in proportion."""
FOUND = 0.85
COUNTED = 4
"""True lanes that must be found; of more, one may be missing."""
FIGURES = {"accuracy": 1, "false_positives": -1, "false_negatives": -1}
"""What is told of a model, and whether more of it is better."""
_FAR = -100.0


@dataclass(frozen=True)
class Judged:
    """Of one picture: share of right points, of found lanes that are none, of true lanes that were not found."""

    accuracy: float
    false_positives: float
    false_negatives: float
    found: tuple[bool, ...] = ()
    """Of each true lane."""


def judge(found: Floats, truth: Floats, heights: Floats, width: int = WIDTH) -> Judged:
    """Judge the lanes found in one picture against the true ones.

    :param found: [lanes, heights] of x in pixels, negative where a lane is not; ``truth`` likewise.
    :param heights: y of each place, in pixels.
    :param width: of the picture, in pixels.
    """
    if len(found) > len(truth) + 2:  # no guessing: the benchmark gives nothing for more
        return Judged(0.0, 0.0, 1.0, (False,) * len(truth))
    best = np.array([_best(found, lane, heights, width) for lane in truth])
    hits = best >= FOUND
    missed, rights = float((~hits).sum()), float(best.sum())
    if len(truth) > COUNTED:
        missed -= missed > 0
        rights -= best.min()
    of = max(min(COUNTED, len(truth)), 1)
    wrong = (len(found) - hits.sum()) / len(found) if len(found) else 0.0
    return Judged(rights / of, float(wrong), missed / of, tuple(map(bool, hits)))


def _best(found: Floats, lane: Floats, heights: Floats, width: int) -> float:
    """The share of the lane's points that the found lane nearest to it has right."""
    if not len(found):
        return 0.0
    allowed = PIXELS * width / WIDTH / np.cos(lean(lane, heights))
    off = np.abs(np.where(found >= 0, found, _FAR) - np.where(lane >= 0, lane, _FAR))
    return float((off < allowed).mean(axis=1).max())


def lean(lane: Floats, heights: Floats) -> float:
    """Angle in radians between the lane, as a straight line, and the vertical; 0 for less than two points."""
    there = lane >= 0
    if there.sum() < 2:
        return 0.0
    return float(np.arctan(np.polyfit(heights[there], lane[there], 1)[0]))
