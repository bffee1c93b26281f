"""Between lanes and what the network learns: lanes as slots left and right of the camera, as a map, and back."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from tasks.common.metrics import Floats
from tasks.lane.configs import SLOTS
from tasks.lane.labels import NONE, Label

THICKNESS = 1 / 50
"""Of a lane in the map, as a share of its width: 16 pixels of 800, as published."""
THERE, SURE = 0.5, 0.3
"""From which chance a lane exists, and from which it is at a place."""
FEWEST_ROWS = 3
_FINE = 4  # bits behind the point
Map = npt.NDArray[np.int64]


def assigned(label: Label, width: int, height: int) -> dict[int, Floats]:
    """Return the lanes by slot, 0 to SLOTS - 1 from left to right; those beyond the slots are left out.

    A lane is on the side of the camera where it, made longer, meets the bottom of the picture.
    """
    feet = [(_foot(lane, label.heights, height), lane) for lane in label.lanes if (lane >= 0).sum() >= 2]
    half = SLOTS // 2
    left = sorted((foot for foot in feet if foot[0] < width / 2), key=lambda foot: -foot[0])[:half]
    right = sorted((foot for foot in feet if foot[0] >= width / 2), key=lambda foot: foot[0])[:half]
    found = {half - 1 - place: lane for place, (_, lane) in enumerate(left)}
    return found | {half + place: lane for place, (_, lane) in enumerate(right)}


def as_map(label: Label, size: tuple[int, int], shape: tuple[int, int]) -> tuple[Map, npt.NDArray[np.float32]]:
    """Return what is to be learned: the slot's number plus 1 at each place of the map, 0 off the lanes; which exist.

    :param size: width and height of the picture, in pixels.
    :param shape: rows and columns of the map.
    """
    (width, height), (rows, columns) = size, shape
    drawn, exists = np.zeros(shape, np.uint8), np.zeros(SLOTS, np.float32)
    thick = max(1, round(columns * THICKNESS))
    for slot, lane in assigned(label, width, height).items():
        there = lane >= 0
        xs, ys = lane[there] * columns / width, label.heights[there] * rows / height
        # The middle of the first place is 0 to OpenCV and 0.5 to us.
        points = ((np.stack([xs, ys], axis=1) - 0.5) * (1 << _FINE)).round().astype(np.int32)
        cv2.polylines(drawn, [points], isClosed=False, color=slot + 1, thickness=thick, shift=_FINE)
        exists[slot] = 1
    return drawn.astype(np.int64), exists


def decoded(answer: Floats, heights: Floats, size: tuple[int, int]) -> Floats:
    """Return the lanes [lanes, heights] that the network's answer for one picture means, NONE where one is not.

    :param answer: [SLOTS, rows, 3]: where the lane is as a share of the width, how sure, whether there is such a lane.
    """
    width, height = size
    ys = (np.arange(answer.shape[1]) + 0.5) * height / answer.shape[1]
    half_row, lanes = height / answer.shape[1] / 2, []
    for slot in answer:
        sure = slot[:, 1] > SURE
        if slot[0, 2] <= THERE or sure.sum() < FEWEST_ROWS:
            continue
        first, last = ys[sure][0] - half_row, ys[sure][-1] + half_row
        xs = np.interp(heights, ys[sure], slot[sure, 0] * width)
        inside = (heights >= first) & (heights <= last) & (xs >= 0) & (xs < width)
        lanes.append(np.where(inside, xs, NONE))
    return np.array(lanes, np.float64).reshape(-1, len(heights))


def _foot(lane: Floats, heights: Floats, height: int) -> float:
    """Where the lane meets the bottom of the picture, going on straight from its lowest points."""
    xs, ys = lane[lane >= 0][-4:], heights[lane >= 0][-4:]
    slope, start = np.polyfit(ys, xs, 1)
    return float(slope * height + start)
