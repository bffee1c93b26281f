"""Rows of data as drift is judged by them: what went in, what the champion says, and how right it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.common.judging import Model
from tasks.common.metrics import Booleans, Floats


@dataclass(frozen=True)
class Sample:
    """N rows of inputs, and the champion's answers to M rows that it was not trained on: of others it is too sure.

    ``columns`` are numbers by name [N], ``embedding`` [N, width] what is no table, such as pictures. ``chances`` [M]
    are the champion's own, of what it is asked for; ``figures`` [M] tell how right it was, NaN without a label.
    """

    rows: int
    columns: Mapping[str, Floats]
    chances: Floats
    figures: Floats
    embedding: Floats | None = None

    @property
    def labelled(self) -> Booleans:
        """Return the answers [M] that a label tells to be right or not."""
        return ~np.isnan(self.figures)


@dataclass(frozen=True)
class Pair:
    """``before`` is of the version that the champion was trained on, ``after`` what came since.

    ``figure`` names what tells how right the champion was, ``better`` is 1 where more of it is better, else -1.
    ``chance`` says whose chances they are, and ``left_out`` what could not be read.
    """

    before: Sample
    after: Sample
    figure: str
    better: int
    chance: str
    left_out: Sequence[str] = field(default_factory=tuple)


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where the rows are: folders or s3:// URLs of dataset versions, and the champion's folder.

    ``baseline`` is the version that the champion was trained on, ``since`` the one after which rows count as new, and
    ``data`` the newest. At most ``limit`` rows of each side are read, chosen by ``seed``.
    """

    baseline: str
    since: str
    data: str
    model: Model
    limit: int
    seed: int = 1
    threads: int = 2

    @property
    def known(self) -> list[str]:
        """Return the versions whose rows are not new."""
        return list(dict.fromkeys([self.baseline, self.since]))


class NothingNew(Exception):
    """The new version has no row that the earlier ones lack; the text is the sentence that says so."""


class Reservoir:
    """At most ``most`` rows of any number that pass by, each with the same chance, and the same ones every time."""

    def __init__(self, most: int, seed: int) -> None:
        self._most, self._random = most, np.random.default_rng(seed)
        self._keys: npt.NDArray[np.float64] = np.empty(0)
        self._rows: list[npt.NDArray[Any]] = []

    def add(self, *rows: npt.NDArray[Any]) -> None:
        """Let rows pass: arrays whose first axes are equally long."""
        keys = np.append(self._keys, self._random.random(len(rows[0])))
        before = self._rows or [each[:0] for each in rows]
        whole = [np.concatenate([held, new]) for held, new in zip(before, rows, strict=True)]
        kept = np.sort(np.argpartition(keys, self._most)[: self._most]) if len(keys) > self._most else slice(None)
        self._keys, self._rows = keys[kept], [each[kept] for each in whole]

    def rows(self) -> list[npt.NDArray[Any]]:
        return self._rows
