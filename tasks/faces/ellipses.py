"""FDDB's annotations: ten folds of pictures, and an ellipse for each face.

``FDDB-folds/FDDB-fold-01.txt`` names the pictures of the first fold, a line each and without ``.jpg``;
``FDDB-folds/FDDB-fold-01-ellipseList.txt`` has for each of them its name, its number of faces, and a line a face::

    major_axis_radius minor_axis_radius angle center_x center_y 1

Lengths are in pixels, the angle of the major axis with the horizontal one in radians.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tasks.common.program import BadInput

FOLDS = 10
_LIST = re.compile(r"(?:^|/)FDDB-fold-(\d+)-ellipseList\.txt$")

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Ellipse:
    """One face. ``major`` and ``minor`` are radii."""

    major: float
    minor: float
    angle: float
    x: float
    y: float

    @property
    def box(self) -> tuple[float, float, float, float]:
        """The smallest upright box around it: left, top, right, bottom."""
        cosine, sine = math.cos(self.angle), math.sin(self.angle)
        wide = math.hypot(self.major * cosine, self.minor * sine)
        high = math.hypot(self.major * sine, self.minor * cosine)
        return self.x - wide, self.y - high, self.x + wide, self.y + high

    def mask(self, height: int, width: int, step: tuple[float, float] = (1.0, 1.0)) -> Mask:
        """Which cells of a grid have their centre in it [height, width]; ``step`` is a cell's width and height."""
        down, across = np.mgrid[:height, :width] + 0.5
        dx, dy, cosine, sine = (
            across * step[0] - self.x,
            down * step[1] - self.y,
            math.cos(self.angle),
            math.sin(self.angle),
        )
        along, beside = (dx * cosine + dy * sine) / self.major, (dy * cosine - dx * sine) / self.minor
        found: Mask = along**2 + beside**2 <= 1
        return found

    def line(self) -> str:
        return f"{self.major:.6f} {self.minor:.6f} {self.angle:.6f} {self.x:.6f} {self.y:.6f}  1"


@dataclass(frozen=True)
class Annotated:
    """One picture's name, as the lists have it, and its faces."""

    name: str
    fold: int
    faces: tuple[Ellipse, ...]


def fold_of(key: str) -> int | None:
    """The fold whose ellipses a file has; None for any other file."""
    found = _LIST.search(key)
    return int(found[1]) if found else None


def read(text: str, fold: int, name: str) -> list[Annotated]:
    """Every picture of an ellipse list. Raises BadInput, with the line, for one that says something else.

    :param name: of the file, for what is said.
    """
    lines = [line.strip() for line in text.splitlines()]
    found, place = [], 0
    while place < len(lines):
        if not lines[place]:
            place += 1
            continue
        picture, count = lines[place], lines[place + 1] if place + 1 < len(lines) else ""
        if not count.isdigit():
            raise BadInput(f"{name}, line {place + 2}: the number of faces of {picture} is expected, not {count!r}.")
        rows = lines[place + 2 : place + 2 + int(count)]
        if len(rows) < int(count):
            raise BadInput(f"{name} ends after {len(rows)} of the {count} faces of {picture}: it was cut off.")
        faces = tuple(_ellipse(row, f"{name}, line {place + 3 + number}") for number, row in enumerate(rows))
        found.append(Annotated(picture, fold, faces))
        place += 2 + int(count)
    return found


def write(pictures: Iterable[Annotated]) -> str:
    """Return an ellipse list."""
    return "".join(
        "\n".join([picture.name, str(len(picture.faces)), *(face.line() for face in picture.faces)]) + "\n"
        for picture in pictures
    )


def names(fold: int) -> tuple[str, str]:
    """The list of pictures and the list of ellipses of a fold, from the folder of the data set."""
    return f"FDDB-folds/FDDB-fold-{fold:02d}.txt", f"FDDB-folds/FDDB-fold-{fold:02d}-ellipseList.txt"


def _ellipse(row: str, where: str) -> Ellipse:
    try:
        numbers: Sequence[float] = [float(number) for number in row.split()]
    except ValueError:
        numbers = []
    if len(numbers) not in (5, 6) or not all(map(math.isfinite, numbers)) or min(numbers[:2]) <= 0:
        raise BadInput(f"{where}: five numbers of an ellipse and a 1 are expected, radii above 0, not {row!r}.")
    return Ellipse(*numbers[:5])
