"""Draws road scenes: lanes that bend toward a vanishing point, in weather, by night, behind cars and shadows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from tasks.common.metrics import Floats
from tasks.lane.labels import NONE

WEATHER = ("clear", "rain", "fog")
Pixels = npt.NDArray[np.uint8]
Canvas = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Road:
    """A road as a camera over it sees it: ``x = centre + offset * spread * depth + bend / depth``, depth below horizon.

    All in pixels but ``offsets``, which are in lane widths from the camera, and whether each line is ``dashed``.
    """

    horizon: float
    centre: float
    spread: float
    bend: float
    offsets: tuple[float, ...]
    dashed: tuple[bool, ...]

    def at(self, offset: float, ys: Floats) -> Floats:
        depth = np.maximum(ys - self.horizon, 1.0)
        return self.centre + offset * self.spread * depth + self.bend * (1 / depth - 1 / (2 * self.horizon)) * 100


def heights_of(height: int) -> Floats:
    """Return the y of TuSimple's labels for a picture of this height: from two ninths of it on, 36 steps of it."""
    return np.arange(round(height * 2 / 9), height, max(1, round(height / 36)), dtype=np.float64)


def scene(seed: int, index: int, size: tuple[int, int]) -> tuple[bytes, list[list[float]], dict[str, Any]]:
    """Return one scene as JPEG, its lanes at ``heights_of``, and what it is like. The same numbers, the same bytes."""
    width, height = size
    random = np.random.default_rng([seed, index])
    road = _road(random, width, height)
    weather, night = WEATHER[random.choice(3, p=(0.6, 0.2, 0.2))], bool(random.random() < 0.25)
    lanes = _lanes(road, width, height)
    canvas = _landscape(random, road, width, height)
    for offset, dashed in zip(road.offsets, road.dashed, strict=True):
        _line(canvas, random, road, offset, dashed)
    hidden = _hide(canvas, random, road)
    canvas = _weather(canvas, random, road, weather, night)
    canvas += random.normal(0, 4, canvas.shape).astype(np.float32)
    told, jpeg = cv2.imencode(".jpg", canvas.clip(0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 88])
    if not told:
        raise RuntimeError(f"OpenCV does not write the scene {index} of {width} x {height} as JPEG.")
    return jpeg.tobytes(), lanes, {"weather": weather, "night": night, "hidden": hidden}


def _road(random: np.random.Generator, width: int, height: int) -> Road:
    number = int(random.integers(2, 6))  # lines
    left = int(random.integers(1, number))  # of them left of the camera
    place = float(random.uniform(0.35, 0.65))  # of the camera in its lane
    offsets = tuple(float(line - left + place) for line in range(number))
    horizon = height * random.uniform(0.14, 0.20)
    return Road(
        horizon=float(horizon),
        centre=float(width * random.uniform(0.42, 0.58)),
        spread=float(width * random.uniform(0.50, 0.64) / (height - horizon)),
        bend=float(random.normal(0, 1.0) * width / 320 * height / 180),
        offsets=offsets,
        dashed=tuple(0 < line < number - 1 for line in range(number)),
    )


def _lanes(road: Road, width: int, height: int) -> list[list[float]]:
    """To a tenth of a pixel; lines that are hardly in the picture are no lanes."""
    heights, found = heights_of(height), []
    for offset in road.offsets:
        xs = road.at(offset, heights).round(1)
        there = (xs >= 0) & (xs < width) & (heights > road.horizon + height / 36)
        if there.sum() >= 4:
            found.append([float(x) if inside else NONE for x, inside in zip(xs, there, strict=True)])
    return found


def _landscape(random: np.random.Generator, road: Road, width: int, height: int) -> Canvas:
    canvas = np.empty((height, width, 3), np.float32)
    horizon = int(road.horizon)
    canvas[:horizon] = np.linspace((235, 200, 160), (245, 230, 215), horizon)[:, None]
    canvas[horizon:] = (60, random.uniform(90, 120), 80)
    ys = np.arange(horizon + 1, height, dtype=np.float64)
    edges = [road.at(road.offsets[0] - 0.25, ys), road.at(road.offsets[-1] + 0.25, ys)]
    left, right = np.stack([edges[0], ys], axis=1), np.stack([edges[1], ys], axis=1)[::-1]
    grey = random.uniform(85, 125)
    cv2.fillPoly(canvas, [np.concatenate([left, right]).round().astype(np.int32)], (grey, grey, grey))
    return canvas


def _line(canvas: Canvas, random: np.random.Generator, road: Road, offset: float, dashed: bool) -> None:
    """Narrower toward the horizon; dashes are of one length on the road, so shorter there."""
    height = canvas.shape[0]
    colour = (90, 200, 235) if not dashed and random.random() < 0.4 else (225, 225, 225)
    fresh, start = random.uniform(0.6, 1.0), random.uniform(0, 1)
    ys = np.arange(road.horizon + 2, height, dtype=np.float64)
    xs, depth = road.at(offset, ys), ys - road.horizon
    painted = ((6.0 * (height - road.horizon) / depth / 6 + start) % 1 < 0.55) if dashed else np.ones(len(ys), bool)
    wide = np.maximum(0.5, 0.035 * road.spread * depth)
    for x, y, half in zip(xs[painted], ys[painted], wide[painted], strict=True):
        first, last = round(float(x - half)), round(float(x + half))
        row = canvas[int(y), max(first, 0) : max(last + 1, 0)]
        row += (np.array(colour, np.float32) - row) * fresh


def _hide(canvas: Canvas, random: np.random.Generator, road: Road) -> bool:
    """Shadows across the road and cars over the lines, in half of the scenes; labels go on behind them."""
    if random.random() < 0.5:
        return False
    height, width, _ = canvas.shape
    for _ in range(int(random.integers(1, 3))):
        top = random.uniform(road.horizon + height * 0.1, height * 0.9)
        shadow = np.zeros((height, width), np.uint8)
        corners = [(0, top), (width, top + random.normal(0, 8)), (width, top + height * 0.08), (0, top + height * 0.08)]
        cv2.fillPoly(shadow, [np.array(corners).round().astype(np.int32)], 1)
        canvas[shadow > 0] *= 0.55
    for _ in range(int(random.integers(0, 3))):
        _car(canvas, random, road)
    return True


def _car(canvas: Canvas, random: np.random.Generator, road: Road) -> None:
    height = canvas.shape[0]
    y = random.uniform(road.horizon + height * 0.1, height * 0.75)
    depth, offset = y - road.horizon, random.choice(road.offsets) + random.uniform(-0.4, 0.4)
    x = float(road.at(float(offset), np.array([y]))[0])
    half, high = 0.28 * road.spread * depth, 0.5 * road.spread * depth
    colour = tuple(map(float, random.uniform(20, 220, 3)))
    cv2.rectangle(canvas, (int(x - half), int(y - high)), (int(x + half), int(y)), colour, thickness=-1)
    cv2.rectangle(canvas, (int(x - half), int(y - high / 6)), (int(x + half), int(y)), (25, 25, 25), thickness=-1)


def _weather(canvas: Canvas, random: np.random.Generator, road: Road, weather: str, night: bool) -> Canvas:
    height, width, _ = canvas.shape
    ys = np.arange(height, dtype=np.float32)[:, None, None]
    if weather == "fog":  # thicker with distance
        share = 0.75 * np.exp(-np.maximum(ys - road.horizon, 0) / (height * 0.3))
        canvas = canvas * (1 - share) + 205 * share
    if night:
        xs = np.arange(width, dtype=np.float32)[None, :, None]
        lit = np.exp(-(((xs - road.centre) / (width * 0.45)) ** 2)) * np.clip((ys - road.horizon) / height * 1.6, 0, 1)
        canvas = canvas * (0.16 + 0.6 * lit)
    if weather == "rain":
        canvas = canvas * 0.8 + 25
        for _ in range(int(width * height / 900)):
            x, y = int(random.integers(width)), int(random.integers(height))
            cv2.line(canvas, (x, y), (x - 2, y + 7), (185, 185, 185), 1)
    return canvas.astype(np.float32)
