"""Pictures with lanes drawn on them, as PNG files: what was found, what is so, what was missed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from tasks.common.metrics import Floats
from tasks.common.result import write_whole
from tasks.lane.benchmark import Judged
from tasks.lane.dataset import Pixels

COLUMNS, ROWS, WIDTH = 3, 4, 320
"""Of the sheet; the width of one picture in it, in pixels."""
FOUND, MISSED, TRUE = (60, 220, 60), (235, 60, 60), (255, 225, 60)
LINE = 16


def draw_sheet(path: Path, drawn: Sequence[tuple[Pixels, str]]) -> None:
    """Put the first pictures side by side, with a line of text under each."""
    shown = list(drawn[: COLUMNS * ROWS])
    high = max((picture.shape[0] for picture, _ in shown), default=LINE) + LINE
    rows = max(1, -(-len(shown) // COLUMNS))
    sheet = np.full((rows * high, COLUMNS * WIDTH, 3), 255, np.uint8)
    for place, (picture, text) in enumerate(shown):
        y, x = place // COLUMNS * high, place % COLUMNS * WIDTH
        sheet[y : y + picture.shape[0], x : x + WIDTH] = picture
        cv2.putText(sheet, text, (x + 3, y + high - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (0, 0, 0), 1, cv2.LINE_AA)
    told, png = cv2.imencode(".png", sheet[:, :, ::-1])
    if told:
        write_whole(path, png.tobytes())


def with_lanes(
    pixels: Pixels, size: tuple[int, int], found: Floats, truth: Floats, heights: Floats, judged: Judged
) -> Pixels:
    """Return the picture WIDTH wide with the true lanes as dots, red where missed, and the found ones as lines.

    :param size: width and height to which the lanes belong.
    """
    width, height = size
    high = round(WIDTH * height / width)
    picture = cv2.resize(pixels, (WIDTH, high), interpolation=cv2.INTER_LINEAR)
    scale = WIDTH / width
    for lane in found:
        there = lane >= 0
        points = (np.stack([lane[there], heights[there]], axis=1) * scale).round().astype(np.int32)
        cv2.polylines(picture, [points], isClosed=False, color=FOUND, thickness=2, lineType=cv2.LINE_AA)
    hits = judged.found or (False,) * len(truth)
    for lane, hit in zip(truth, hits, strict=True):
        for x, y in zip(lane[lane >= 0], heights[lane >= 0], strict=True):
            cv2.circle(picture, (round(x * scale), round(y * scale)), 2, TRUE if hit else MISSED, -1, cv2.LINE_AA)
    return picture.astype(np.uint8)
