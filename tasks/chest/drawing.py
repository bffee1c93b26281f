"""Draws one chest picture as a detector would see it: air dark, bone bright, and what the findings do to it.

It is no anatomy: soft shapes in the right places, with noise and a different body each time, so that a network has
something to learn and does not learn all of it. Coordinates run from -1 to 1, x to the right, y downwards.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

Array = npt.NDArray[np.floating[Any]]
SIDE = 128
LUNG_X, LUNG_Y, LUNG_W, LUNG_H = 0.43, -0.08, 0.27, 0.56


class Chest:
    """One picture in the making: ``grey`` from 0 to 1, and the body's own measures."""

    def __init__(self, rng: np.random.Generator, side: int) -> None:
        self.rng, self.side = rng, side
        axis = np.linspace(-1, 1, side, dtype=np.float32)
        self.y, self.x = np.meshgrid(axis + rng.uniform(-0.05, 0.05), axis + rng.uniform(-0.05, 0.05), indexing="ij")
        self.wide, self.high = rng.uniform(0.92, 1.08), rng.uniform(0.93, 1.07)
        self.heart = rng.uniform(0.9, 1.05)
        self.grey: Array = 0.05 + 0.55 * self.soft(0, 0.35, 0.92 * self.wide, 1.15, 0.12)
        self.lungs: Array = np.zeros_like(self.grey)
        for hand in (-1, 1):
            lung = self.soft(hand * LUNG_X * self.wide, LUNG_Y, LUNG_W * self.wide, LUNG_H * self.high, 0.12)
            self.lungs = np.maximum(self.lungs, lung)
        self.grey -= 0.38 * self.lungs
        self._ribs()
        self.add(0.32 * self.soft(0, 0, 0.1, 1.4, 0.25))

    def soft(self, x: float, y: float, width: float, height: float, edge: float, turn: float = 0.0) -> Array:
        """An ellipse of 1 that falls to 0 over ``edge`` of its size."""
        dx, dy = self.x - x, self.y - y
        along, across = dx * np.cos(turn) + dy * np.sin(turn), dy * np.cos(turn) - dx * np.sin(turn)
        distance = np.sqrt((along / width) ** 2 + (across / height) ** 2)
        return np.clip((1 + edge - distance) / (2 * edge), 0, 1)

    def add(self, what: Array) -> None:
        self.grey = self.grey + what

    def lung_at(self, low: float = -0.35, high: float = 0.3) -> tuple[float, float, int]:
        """A place in one lung, and on which hand it is."""
        hand = 1 if self.rng.random() < 0.5 else -1
        return hand * (LUNG_X + self.rng.uniform(-0.1, 0.1)), float(self.rng.uniform(low, high)), hand

    def fleece(self, grain: float) -> Array:
        """Smooth noise around 0, of deviation 1."""
        noise = ndimage.gaussian_filter(self.rng.standard_normal((self.side, self.side)), grain * self.side / SIDE)
        return noise / (noise.std() + 1e-9)

    def _ribs(self) -> None:
        wave = np.sin((self.y + 0.5 * np.abs(self.x) ** 1.5) * 17 + self.rng.uniform(0, 6))
        self.add(0.05 * np.clip(wave, 0, 1) * self.lungs)

    def finish(self) -> npt.NDArray[np.uint8]:
        """With heart, belly, the detector's noise and exposure, as 8 bits."""
        heart = self.soft(0.12, 0.3, 0.24 * self.heart, 0.27 * self.heart, 0.15, 0.4)
        belly = self.soft(0, 1.05, 1.1, 0.5, 0.1)
        grey = self.grey + 0.3 * heart * (1 - 0.4 * belly)
        grey = np.maximum(grey, 0.62 * belly)
        grey = grey * self.rng.uniform(0.85, 1.1) + 0.02 * self.rng.standard_normal(grey.shape)
        return (np.clip(ndimage.gaussian_filter(grey, 0.5), 0, 1) * 255 + 0.5).astype(np.uint8)


def _atelectasis(chest: Chest) -> None:
    x, y, hand = chest.lung_at(0.1, 0.3)
    chest.add(0.3 * chest.soft(x, y, 0.26, 0.035, 0.4, hand * chest.rng.uniform(0.1, 0.4)))


def _cardiomegaly(chest: Chest) -> None:
    chest.heart *= chest.rng.uniform(1.45, 1.75)


def _consolidation(chest: Chest) -> None:
    x, y, _ = chest.lung_at(-0.5, -0.1)
    chest.add(0.34 * chest.soft(x, y, 0.26, 0.2, 0.4) * (0.85 + 0.15 * chest.fleece(3)))


def _edema(chest: Chest) -> None:
    for hand in (-1, 1):
        chest.add(0.24 * chest.soft(hand * 0.27, -0.05, 0.25, 0.36, 0.8) * (1 + 0.25 * chest.fleece(2)))


def _effusion(chest: Chest) -> None:
    hand = 1 if chest.rng.random() < 0.5 else -1
    level = chest.rng.uniform(0.12, 0.3)
    water = np.clip((chest.y - level + 0.35 * np.abs(chest.x - hand * 0.3)) * 9, 0, 1)
    chest.add(0.4 * water * np.clip(chest.soft(hand * LUNG_X, LUNG_Y, 0.32, 0.66, 0.1), 0, 1))


def _emphysema(chest: Chest) -> None:
    chest.add(-0.13 * chest.lungs)
    chest.heart *= 0.8


def _fibrosis(chest: Chest) -> None:
    net = np.abs(chest.fleece(1.6)) < 0.3
    chest.add(0.2 * net * chest.lungs * np.clip(0.9 + chest.y, 0, 1))


def _hernia(chest: Chest) -> None:
    ring = chest.soft(0.03, 0.42, 0.26, 0.2, 0.12) - 1.5 * chest.soft(0.03, 0.38, 0.16, 0.11, 0.2)
    chest.add(0.32 * ring)


def _infiltration(chest: Chest) -> None:
    x, y, _ = chest.lung_at(-0.2, 0.25)
    chest.add(0.14 * np.clip(chest.fleece(1.2) + 0.6, 0, 3) * chest.soft(x, y, 0.28, 0.3, 0.5))


def _disc(chest: Chest, radius: float) -> None:
    x, y, _ = chest.lung_at()
    chest.add(0.42 * chest.soft(x, y, radius, radius * chest.rng.uniform(0.85, 1.15), 0.2))


def _mass(chest: Chest) -> None:
    _disc(chest, chest.rng.uniform(0.13, 0.19))


def _nodule(chest: Chest) -> None:
    for _ in range(2):
        _disc(chest, chest.rng.uniform(0.045, 0.065))


def _thickening(chest: Chest) -> None:
    hand = 1 if chest.rng.random() < 0.5 else -1
    outer = chest.soft(hand * LUNG_X, LUNG_Y, LUNG_W + 0.02, LUNG_H + 0.02, 0.08)
    inner = chest.soft(hand * (LUNG_X - 0.07), LUNG_Y + 0.04, LUNG_W - 0.01, LUNG_H, 0.08)
    chest.add(0.4 * np.clip(outer - inner, 0, 1))


def _pneumonia(chest: Chest) -> None:
    _, _, hand = chest.lung_at()
    for _ in range(4):
        x, y = hand * (LUNG_X + chest.rng.uniform(-0.14, 0.14)), chest.rng.uniform(-0.35, 0.35)
        chest.add(0.18 * chest.soft(x, y, 0.14, 0.12, 0.8))


def _pneumothorax(chest: Chest) -> None:
    hand = 1 if chest.rng.random() < 0.5 else -1
    apex = chest.soft(hand * (LUNG_X + 0.06), LUNG_Y - 0.22, LUNG_W - 0.04, 0.36, 0.06)
    chest.grey = chest.grey * (1 - apex) + 0.03 * apex
    chest.add(0.25 * np.clip(1 - np.abs(apex - 0.5) * 5, 0, 1))


DRAWN: dict[str, Callable[[Chest], None]] = {
    "Atelectasis": _atelectasis,
    "Cardiomegaly": _cardiomegaly,
    "Consolidation": _consolidation,
    "Edema": _edema,
    "Effusion": _effusion,
    "Emphysema": _emphysema,
    "Fibrosis": _fibrosis,
    "Hernia": _hernia,
    "Infiltration": _infiltration,
    "Mass": _mass,
    "Nodule": _nodule,
    "Pleural_Thickening": _thickening,
    "Pneumonia": _pneumonia,
    "Pneumothorax": _pneumothorax,
}


def draw(seed: int, patient: int, visit: int, findings: tuple[str, ...], side: int = SIDE) -> bytes:
    """The bytes of a PNG file. The same arguments give the same bytes."""
    chest = Chest(np.random.default_rng([seed, patient, visit]), side)
    for name in findings:
        DRAWN[name](chest)
    file = io.BytesIO()
    Image.fromarray(chest.finish()).save(file, "PNG")
    return file.getvalue()
