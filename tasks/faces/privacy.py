"""How much of the faces an attacker makes out: likeness by pixels, and whether a recogniser still tells who it is.

SSIM and PSNR are of the upright box around each face. The recogniser is of the eigenface kind: a principal component
analysis of clean faces of the training folds, and the nearest of the people by the angle between. Its gallery holds
every person of the held-out folds, and it is asked about each reconstructed face; by chance it is right once for each
person of the gallery.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from tasks.faces.dataset import Example
from tasks.faces.preprocessing import Pixels

SIDE = 24  # of a face as the recogniser sees it
COMPONENTS = 40
SMALLEST = 7  # pixels: below this a face has no SSIM, whose window is as large

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Seen:
    """Of one picture: the mean over its faces of SSIM and PSNR (dB), and the share of them that were recognised.

    All are nan where it has no face that is large enough.
    """

    ssim: float
    psnr: float
    recognised: float


class Recogniser:
    """Faces to persons, learned from ``examples`` and their clean pictures."""

    def __init__(self, examples: Sequence[Example]) -> None:
        from sklearn.decomposition import PCA

        faces = [_face(pixels, box) for example in examples for pixels, box in _crops(example, example.pixels())]
        self._analysis = PCA(min(COMPONENTS, len(faces) - 1), whiten=True, random_state=0).fit(np.stack(faces))

    def embed(self, faces: Sequence[npt.NDArray[np.float32]]) -> Floats:
        found = self._analysis.transform(np.stack(faces))
        return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)

    def gallery(self, examples: Sequence[Example]) -> Gallery:
        """Everybody of these pictures; a face of which nobody says whose it is is a person of its own."""
        who, faces = [], []
        for example in examples:
            for place, (pixels, box) in enumerate(_crops(example, example.pixels())):
                who.append(person(example, place))
                faces.append(_face(pixels, box))
        persons = sorted(set(who))
        embedded, owners = self.embed(faces), np.array([persons.index(each) for each in who])
        means = np.stack([embedded[owners == place].mean(axis=0) for place in range(len(persons))])
        return Gallery(self, persons, means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-9))


@dataclass(frozen=True)
class Gallery:
    recogniser: Recogniser
    persons: list[str]
    means: Floats

    def recognised(self, faces: Sequence[npt.NDArray[np.float32]], who: Sequence[str]) -> list[bool]:
        nearest = (self.recogniser.embed(faces) @ self.means.T).argmax(axis=1)
        return [self.persons[place] == name for place, name in zip(nearest, who, strict=True)]


def person(example: Example, place: int) -> str:
    known = example.persons[place]
    return f"person {known}" if known >= 0 else f"{example.name} {place}"


def seen(example: Example, made: Pixels, gallery: Gallery) -> Seen:
    """Compare what an attacker made of a picture [colours, side, side] with the picture."""
    from skimage.metrics import structural_similarity

    clean = example.pixels()
    pairs = list(zip(_crops(example, clean), _crops(example, made), strict=True))
    if not pairs:
        return Seen(float("nan"), float("nan"), float("nan"))
    ssim, psnr = [], []
    for (whole, (left, top, right, bottom)), (drawn, _) in pairs:
        one, other = (each[top:bottom, left:right].astype(np.float64) for each in (whole, drawn))
        ssim.append(structural_similarity(one, other, win_size=SMALLEST, data_range=255))
        psnr.append(10 * np.log10(255**2 / max(float(np.mean((one - other) ** 2)), 1e-2)))
    faces = [_face(drawn, box) for _, (drawn, box) in pairs]
    known = gallery.recognised(faces, [person(example, place) for place in range(len(faces))])
    return Seen(float(np.mean(ssim)), float(np.mean(psnr)), float(np.mean(known)))


Box = tuple[int, int, int, int]


def _crops(example: Example, pixels: Pixels) -> list[tuple[npt.NDArray[np.uint8], Box]]:
    """The picture as grey, with the box of each of its faces, widened to what SSIM needs."""
    side = pixels.shape[-1]
    grey = pixels.mean(axis=0).round().astype(np.uint8)
    found = []
    for left, top, right, bottom in example.boxes * side:
        x, y = _edges(left, right, side), _edges(top, bottom, side)
        found.append((grey, (x[0], y[0], x[1], y[1])))
    return found


def _edges(low: Any, high: Any, side: int) -> tuple[int, int]:
    first, last = int(np.floor(low)), int(np.ceil(high))
    first = max(0, min(first, side - SMALLEST))
    return first, min(side, max(last, first + SMALLEST))


def _face(grey: npt.NDArray[np.uint8], box: Box) -> npt.NDArray[np.float32]:
    """A face as one row, as light and as rich in contrast as any other."""
    left, top, right, bottom = box
    small = cv2.resize(grey[top:bottom, left:right], (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    row: npt.NDArray[np.float32] = small.ravel() - small.mean()
    return row / max(float(row.std()), 1e-3)
