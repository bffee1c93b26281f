"""Click logs as if of Criteo, whose best possible prediction is known.

A click's log odds are a function of the 13 numeric columns, as they read with missing as 0, plus an effect of some
categoricals that are drawn independently of them. So both the best order of rows by all columns and the best order by
the numeric columns alone are known exactly, and with them the AUC that no model can beat.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.common.metrics import auc_of_counts
from tasks.ctr.columns import CATEGORICAL, NUMERIC
from tasks.ctr.compiled import compiled

BLOCK_ROWS = 1 << 16
LONGEST_ROW = 2 + len(NUMERIC) * 12 + len(CATEGORICAL) * 9
_PILOT_ROWS = 20_000
_TRUTH_BINS = 4096

# Share missing, median, spread (of the logarithm) and smallest value of each numeric column, after the published logs.
_MISSING_SHARE = np.array([0.45, 0.0, 0.21, 0.21, 0.026, 0.22, 0.043, 0.0005, 0.043, 0.45, 0.043, 0.76, 0.21])
_MEDIAN = np.array([1.5, 4.0, 6.0, 4.5, 2800.0, 35.0, 3.5, 8.0, 40.0, 1.2, 1.6, 1.1, 5.0])
_SPREAD = np.array([1.6, 2.0, 1.7, 1.0, 2.0, 1.7, 1.5, 0.9, 1.5, 0.6, 1.0, 1.3, 1.2])
_LEAST = np.array([0, -2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
# Distinct values and share missing of each categorical, as counted in the published logs.
_CARDINALITY = np.array(
    [1460, 583, 10131227, 2202608, 305, 24, 12517, 633, 3, 93145, 5683, 8351593, 3194]
    + [27, 14992, 5461306, 10, 5652, 2173, 4, 7046547, 18, 15, 286181, 105, 142572],
    dtype=np.float64,
)
_CATEGORICAL_MISSING = np.array(
    [0, 0, 0.034, 0.034, 0, 0.12, 0, 0, 0, 0, 0, 0.034, 0, 0, 0, 0.034, 0, 0, 0.44, 0.44, 0.034, 0.76, 0, 0.034, 0.44]
    + [0.44]
)
_CATEGORICAL_EFFECT = np.zeros(len(CATEGORICAL))
_CATEGORICAL_EFFECT[[0, 1, 5, 8, 13, 16]] = (0.25, 0.25, 0.2, 0.25, 0.2, 0.2)
_NUMERIC_EFFECT = np.array([0.9, -0.35, 0.4, -0.6, -0.75, -0.5, 0.8, 0.3, -0.45, 0.5, 0.65, 0.3, -0.7])
_TOGETHER = 0.6  # what the columns I5 and I7 do together, beyond each alone
_HUMP = 0.7  # of I9: rows in the middle are clicked more than those at either end


@dataclass(frozen=True)
class World:
    """All that decides one day's rows but their random numbers."""

    seed: int
    day: int
    intercept: float
    effects: npt.NDArray[np.float64]
    medians: npt.NDArray[np.float64]


def world(seed: int, day: int, click_rate: float, drift: float) -> World:
    """``click_rate`` is day 0's; ``drift`` is how far effects wander in a day, as a share of their size."""
    random = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, 1])))
    direction = random.standard_normal((2, len(NUMERIC)))
    phase = 0.35 * day * drift * 10  # of a slow swing, so that no effect grows without end
    swing = np.sin(phase) * direction[0] + (1 - np.cos(phase)) * direction[1]
    effects = _NUMERIC_EFFECT * (1 + 0.5 * swing)
    medians = _MEDIAN * np.exp(0.2 * np.sin(phase) * direction[1])
    first = World(seed, 0, 0.0, _NUMERIC_EFFECT, _MEDIAN)
    return World(seed, day, _intercept(first, click_rate) + 0.3 * np.sin(phase), effects, medians)


def _intercept(first: World, click_rate: float) -> float:
    odds = _draw(first, block=0, rows=_PILOT_ROWS)[3]
    low, high = -20.0, 20.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if (1 / (1 + np.exp(-odds - middle))).mean() < click_rate else (low, middle)
    return (low + high) / 2


def block(of: World, number: int, rows: int) -> tuple[memoryview, Truth]:
    """Return the text of a day's block, the same bytes whenever it is made, and what can be known about its clicks."""
    numeric, hashes, numeric_odds, odds, chance = _draw(of, number, rows)
    probability = 1 / (1 + np.exp(-odds - of.intercept))
    labels = (chance < probability).astype(np.uint8)
    text = np.empty(rows * LONGEST_ROW, np.uint8)
    size = _write(labels, numeric, hashes, _HEX, text)
    return text.data[:size], Truth.of(probability, numeric_odds, int(labels.sum()))


def _draw(of: World, block: int, rows: int) -> tuple[Any, Any, Any, Any, Any]:
    random = np.random.Generator(np.random.Philox(np.random.SeedSequence([of.seed, 0, of.day, block])))
    normal = random.standard_normal((rows, len(NUMERIC)), np.float32)
    absent = random.random((rows, len(NUMERIC)), np.float32)
    popularity = random.random((rows, len(CATEGORICAL)), np.float32)
    absent_hash = random.random((rows, len(CATEGORICAL)), np.float32)
    chance = random.random(rows)
    numeric = np.empty((rows, len(NUMERIC)), np.int64)
    hashes = np.empty((rows, len(CATEGORICAL)), np.int64)
    numeric_odds, odds = np.empty(rows), np.empty(rows)
    _numeric_columns(normal, absent, np.log(of.medians), of.effects, numeric, numeric_odds)
    odds[:] = numeric_odds
    _categorical_columns(popularity, absent_hash, of.seed, hashes, odds)
    return numeric, hashes, numeric_odds, odds, chance


@compiled
def _numeric_columns(normal: Any, absent: Any, log_medians: Any, effects: Any, numeric: Any, odds: Any) -> None:
    """Values with -2**31 for missing; log odds from the values as they read with missing as 0."""
    for row in range(len(normal)):
        total, fifth, seventh = 0.0, 0.0, 0.0
        for column in range(normal.shape[1]):
            if absent[row, column] < _MISSING_SHARE[column]:
                numeric[row, column] = -(2**31)
                value = np.int64(0)
            else:
                size = math.exp(log_medians[column] + _SPREAD[column] * np.float64(normal[row, column]))
                value = min(np.int64(size), np.int64(10**9)) + _LEAST[column]
                numeric[row, column] = value
            # Between 0 and about 1 for nearly all rows, so that no column's effect runs away in its tail.
            height = math.log1p(np.float64(max(value, np.int64(0))))
            height = height / (height + math.log1p(_MEDIAN[column]))
            total += 2 * effects[column] * height
            if column == 4:
                fifth = height
            elif column == 6:
                seventh = height
            elif column == 8:
                total += _HUMP * 4 * height * (1 - height)
        odds[row] = total + _TOGETHER * 8 * (fifth - 0.4) * (seventh - 0.4)


@compiled
def _categorical_columns(popularity: Any, absent: Any, seed: int, hashes: Any, odds: Any) -> None:
    """Values of 32 bits, -1 for missing, popular ones far more often than others; adds their effects to ``odds``."""
    for row in range(len(popularity)):
        for column in range(popularity.shape[1]):
            if absent[row, column] < _CATEGORICAL_MISSING[column]:
                hashes[row, column] = -1
                continue
            place = np.uint64(math.exp(np.float64(popularity[row, column]) * math.log(_CARDINALITY[column] + 1)))
            mixed = _mix(place + (np.uint64(column + 1) << np.uint64(32)) + (np.uint64(seed) << np.uint64(40)))
            hashes[row, column] = np.int64(mixed & np.uint64(0xFFFFFFFF))
            if _CATEGORICAL_EFFECT[column] > 0:
                even = np.float64(mixed >> np.uint64(32)) / 2**32 - 0.5  # of deviation 1 when times sqrt(12)
                odds[row] += _CATEGORICAL_EFFECT[column] * 3.4641016151377544 * even


@compiled
def _mix(value: Any) -> Any:
    """SplitMix64's finish: every bit of ``value`` changes about half the bits of the result."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)


@compiled
def _write(labels: Any, numeric: Any, hashes: Any, hexadecimal: Any, text: Any) -> int:
    """Fill ``text`` with one line per row; its size."""
    at = 0
    digits = np.empty(12, np.uint8)
    for row in range(len(labels)):
        text[at] = 48 + labels[row]
        at += 1
        for column in range(numeric.shape[1]):
            text[at] = 9
            at += 1
            value = numeric[row, column]
            if value == -(2**31):
                continue
            if value < 0:
                text[at] = 45
                at += 1
                value = -value
            count = 0
            while True:
                digits[count] = 48 + value % 10
                count += 1
                value //= 10
                if value == 0:
                    break
            for place in range(count):
                text[at + place] = digits[count - 1 - place]
            at += count
        for column in range(hashes.shape[1]):
            text[at] = 9
            at += 1
            value = hashes[row, column]
            if value >= 0:
                for place in range(8):
                    text[at + place] = hexadecimal[(value >> (28 - 4 * place)) & 15]
                at += 8
        text[at] = 10
        at += 1
    return at


@dataclass(frozen=True)
class Truth:
    """Sums over rows from which the best possible figures follow: of the chances of a click and of none, by bins of the
    true probability and of what the numeric columns tell about it; [2, bins] each.
    """

    rows: int
    clicks: int
    by_all: npt.NDArray[np.float64]
    by_numeric: npt.NDArray[np.float64]

    @classmethod
    def of(cls, probability: npt.NDArray[np.float64], numeric_odds: npt.NDArray[np.float64], clicks: int) -> Truth:
        return cls(
            len(probability),
            clicks,
            _by_bins(np.log(probability / (1 - probability)), probability),
            _by_bins(numeric_odds, probability),
        )

    def __add__(self, other: Truth) -> Truth:
        return Truth(
            self.rows + other.rows,
            self.clicks + other.clicks,
            self.by_all + other.by_all,
            self.by_numeric + other.by_numeric,
        )

    def figures(self) -> dict[str, Any]:
        """``all_columns`` and ``numeric_columns``: AUC, accuracy and log loss that no model can beat but by luck."""
        best = {"all_columns": _best(self.by_all), "numeric_columns": _best(self.by_numeric)}
        return {"rows": self.rows, "click_rate": self.clicks / self.rows, **best}


def _by_bins(odds: npt.NDArray[np.float64], probability: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    bins = ((np.clip(odds, -16, 16) + 16) * ((_TRUTH_BINS - 1) / 32)).astype(np.int64)
    sums = [np.bincount(bins, weights, _TRUTH_BINS) for weights in (probability, 1 - probability)]
    return np.stack(sums)


def _best(sums: npt.NDArray[np.float64]) -> dict[str, float]:
    clicks, others = sums
    auc = auc_of_counts(clicks, others)
    total = clicks + others
    held = total > 0
    rate = clicks[held] / total[held]
    entropy = -(rate * np.log(rate) + (1 - rate) * np.log1p(-rate))
    accuracy = float(np.maximum(clicks, others).sum() / total.sum())
    return {"auc": auc, "accuracy": accuracy, "log_loss": float((entropy * total[held]).sum() / total.sum())}
