"""Labels in TuSimple's format: one JSON line for each picture, with lanes, h_samples and raw_file.

    {"lanes": [[-2, -2, 632, 625, ...], ...], "h_samples": [240, 250, ...], "raw_file": "clips/0313-1/6040/20.jpg"}

A lane has an x for each y of h_samples, -2 where it is not to be seen. ``raw_file`` starts at the folder of the file.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tasks.common.metrics import Floats
from tasks.common.program import BadInput

NONE = -2
"""The x of a lane where it is not to be seen."""
FILES = re.compile(r"(.*/)?(label_data_[^/]*|test_label[^/]*)\.json")
_KEYS = ("lanes", "h_samples", "raw_file")


@dataclass(frozen=True)
class Label:
    """The lanes of one picture in its pixels: ``lanes`` [lanes, heights], ``heights`` [heights] rising.

    ``line`` says where it stands, as file:number; ``scene`` what the line tells besides, such as the weather.
    """

    key: str
    lanes: Floats
    heights: Floats
    line: str
    scene: Mapping[str, Any] = field(default_factory=dict)

    def check_inside(self, width: int, height: int) -> None:
        """Raise BadInput, naming the line and the point, for a lane that leaves a picture of this size."""
        outside = (self.lanes != NONE) & ((self.lanes < 0) | (self.lanes >= width))
        size = f"the picture of {width} x {height}"
        if outside.any():
            lane, place = np.argwhere(outside)[0]
            raise BadInput(
                f"{self.line}: lane {lane + 1} of {self.key} is at x = {self.lanes[lane, place]:g}, y = "
                f"{self.heights[place]:g}, outside {size}; correct it, or write {NONE} where the lane is not seen."
            )
        if len(self.heights) and (self.heights[0] < 0 or self.heights[-1] >= height):
            raise BadInput(
                f"{self.line}: h_samples of {self.key} go from {self.heights[0]:g} to {self.heights[-1]:g}, outside "
                f"{size}; correct them."
            )


def parse(text: bytes, name: str, folder: str = "") -> Iterator[Label]:
    """Return the labels of one file. Raises BadInput with file and line for what is not such a label.

    :param name: what messages call the file.
    :param folder: where the file lies in its store, with a slash at its end, or "".
    """
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield _label(line, f"{name}:{number}", folder)


def _label(text: bytes, line: str, folder: str) -> Label:
    try:
        told = json.loads(text)
    except ValueError as error:
        raise BadInput(f"{line} is not JSON ({error}); correct or remove the line.") from None
    if not isinstance(told, dict) or any(key not in told for key in _KEYS):
        there = ", ".join(told) if isinstance(told, dict) else type(told).__name__
        raise BadInput(f"{line} has {there or 'nothing'}; a label has {', '.join(_KEYS)}.")
    heights = _numbers(told["h_samples"], f"{line}: h_samples")
    if not heights or any(low >= high for low, high in itertools.pairwise(heights)):
        raise BadInput(f"{line}: h_samples are no rising heights: {_short(told['h_samples'])}.")
    if not isinstance(told["raw_file"], str) or not isinstance(told["lanes"], list):
        raise BadInput(f"{line}: raw_file must be a text and lanes a list of lists of numbers.")
    lanes = [_lane(lane, number, heights, line) for number, lane in enumerate(told["lanes"], start=1)]
    return Label(
        key=folder + told["raw_file"].removeprefix("./"),
        lanes=np.array(lanes, np.float64).reshape(-1, len(heights)),
        heights=np.array(heights, np.float64),
        line=line,
        scene=told["scene"] if isinstance(told.get("scene"), dict) else {},
    )


def _lane(told: Any, number: int, heights: list[float], line: str) -> list[float]:
    lane = _numbers(told, f"{line}: lane {number}")
    if len(lane) != len(heights):
        raise BadInput(
            f"{line}: lane {number} has {len(lane)} values and h_samples {len(heights)}; a lane has one for each, "
            f"{NONE} where it is not to be seen."
        )
    return lane


def _numbers(told: Any, what: str) -> list[float]:
    good = isinstance(told, list) and all(
        isinstance(each, int | float) and not isinstance(each, bool) and math.isfinite(each) for each in told
    )
    if not good:
        raise BadInput(f"{what} is no list of numbers: {_short(told)}.")
    return [float(each) for each in told]


def _short(told: Any) -> str:
    text = json.dumps(told)
    return text if len(text) <= 60 else f"{text[:57]}..."
