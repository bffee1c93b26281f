"""How well faces are found, by FDDB's definition.

A detection is a region; so is an annotated ellipse. Their overlap is the area that both have over the area that either
has. In each picture detections and faces are paired one to one so that the sum of overlaps is greatest, at every
threshold of the detector anew. A pair counts 1 where its overlap is above a half (the *discrete* score), or its overlap
(the *continuous* score). Over all thresholds that gives a curve; the published figure is the area under precision
against recall, the average precision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from tasks.faces.anchors import Boxes
from tasks.faces.ellipses import Ellipse

MATCHED = 0.5
DISCRETE, CONTINUOUS = "discrete", "continuous"
_CELLS = 64  # to each side of a face's surroundings, in which areas are counted

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Found:
    """What a detector says of one picture: ``chances`` [D] from the surest down, ``overlaps`` [D, faces]."""

    chances: Floats
    overlaps: Floats
    faces: int


def region(box: Sequence[float]) -> Ellipse:
    """A detection as the ellipse that its box is drawn around: faces are annotated as ellipses, so these are compared
    like with like, as FDDB allows."""
    left, top, right, bottom = (float(edge) for edge in box)
    wide, high = max(right - left, 1e-6) / 2, max(bottom - top, 1e-6) / 2
    x, y = (left + right) / 2, (top + bottom) / 2
    return Ellipse(high, wide, np.pi / 2, x, y) if high >= wide else Ellipse(wide, high, 0.0, x, y)


def overlap(one: Ellipse, other: Ellipse) -> float:
    """Area that both have over area that either has, counted on a fine grid over both."""
    boxes = np.array([one.box, other.box])
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    if (boxes[:, :2].max(axis=0) >= boxes[:, 2:].min(axis=0)).any():
        return 0.0
    step = tuple((high - low) / _CELLS)
    masks = [replace(each, x=each.x - low[0], y=each.y - low[1]).mask(_CELLS, _CELLS, step) for each in (one, other)]
    either = np.count_nonzero(masks[0] | masks[1])
    return np.count_nonzero(masks[0] & masks[1]) / either if either else 0.0


def found(boxes: Boxes, chances: npt.NDArray[np.float32], faces: Sequence[Ellipse]) -> Found:
    """Set one picture's detections beside its faces; boxes in the pixels in which the ellipses are."""
    order = np.argsort(-chances, kind="stable")
    shared = np.array([[overlap(region(boxes[place]), face) for face in faces] for place in order], np.float64)
    return Found(chances[order].astype(np.float64), shared.reshape(len(order), len(faces)), len(faces))


@dataclass(frozen=True)
class Steps:
    """What each detection adds to the matched pairs of its picture, at its own threshold.

    ``chances`` [D]; ``gains`` [D], of one score; ``faces`` of all pictures.
    """

    chances: Floats
    gains: Floats
    faces: int


def steps(pictures: Sequence[Found], score: str) -> list[Steps]:
    """One for each picture."""
    return [_steps(picture, score) for picture in pictures]


@dataclass(frozen=True)
class Ranked:
    """The detections of all pictures, the surest first: ``chances``, ``gains`` and whose they are, ``owners`` [D].

    ``faces`` [pictures].
    """

    chances: Floats
    gains: Floats
    owners: npt.NDArray[np.int64]
    faces: Floats

    @classmethod
    def of(cls, pictures: Sequence[Steps]) -> Ranked:
        chances = np.concatenate([np.zeros(0), *(picture.chances for picture in pictures)])
        gains = np.concatenate([np.zeros(0), *(picture.gains for picture in pictures)])
        owners = np.repeat(np.arange(len(pictures)), [len(picture.chances) for picture in pictures])
        order = np.argsort(-chances, kind="stable")
        return cls(
            chances[order], gains[order], owners[order], np.array([picture.faces for picture in pictures], float)
        )

    def average_precision(self, threshold: float, weights: Floats | None = None) -> Floats:
        """Area under precision against recall of the detections at or above ``threshold``; 0 where there is no face.

        :param weights: how often each picture counts, one row for each draw of the bootstrap [draws, pictures].
        :return: for each draw [draws]; of the pictures as they are [1] without weights.
        """
        counts = np.ones((1, len(self.faces))) if weights is None else weights
        total = counts @ self.faces
        kept = int(np.count_nonzero(self.chances >= threshold))
        if not kept:
            return np.zeros(len(counts))
        times = counts[:, self.owners[:kept]]
        hits, seen = np.cumsum(self.gains[:kept] * times, axis=1), np.cumsum(times, axis=1)
        precision = np.divide(hits, seen, out=np.zeros_like(hits), where=seen > 0)
        recall = np.divide(hits, total[:, None], out=np.zeros_like(hits), where=total[:, None] > 0)
        # At every recall the best precision from there on, as areas under such curves are taken.
        best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        return np.sum(np.diff(recall, axis=1, prepend=0.0) * best, axis=1)


def _steps(picture: Found, score: str) -> Steps:
    totals = [_matched(picture.overlaps[: count + 1], score) for count in range(len(picture.chances))]
    return Steps(picture.chances, np.diff(np.array([0.0, *totals])), picture.faces)


def _matched(shared: Floats, score: str) -> float:
    if not shared.size or not shared.any():
        return 0.0
    pairs = shared[linear_sum_assignment(-shared)]
    return float(np.count_nonzero(pairs > MATCHED)) if score == DISCRETE else float(pairs.sum())
