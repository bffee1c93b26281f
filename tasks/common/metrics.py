"""How good the predictions of a two-class model are.

Written with NumPy and checked against scikit-learn in the tests, whose import alone costs 5 CPU seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Integers = npt.NDArray[np.integer[Any]]
Booleans = npt.NDArray[np.bool_]
BANDS = 10
LEAST = 1e-7  # a model may say 0, and be wrong once: its log loss stays finite


@dataclass(frozen=True)
class Band:
    """Rows whose chance was predicted to be within one tenth of all predictions: what was predicted, what was true."""

    rows: int
    predicted: float
    actual: float


@dataclass(frozen=True)
class Judgement:
    """Precision, recall and F1 speak of the positive class, and are 0 where undefined; an undefined ROC AUC is 0.5.

    ``calibration_error`` is the mean distance between predicted and actual share over the bands, by rows; ``majority``
    the accuracy of always giving the commoner answer. ``confusion[true][predicted]`` counts rows, negative first.
    """

    accuracy: float
    precision: float
    recall: float
    f1: float
    roc_auc: float
    log_loss: float
    calibration_error: float
    positive_share: float
    majority: float
    confusion: list[list[int]]
    bands: tuple[Band, ...]

    def figures(self, names: Mapping[str, str]) -> dict[str, float]:
        """Return the numbers that ``names`` asks for, which maps the name they get to the name they have here."""
        return {name: getattr(self, field) for name, field in names.items()}


def judge(scores: Floats, positives: Booleans) -> Judgement:
    """``scores`` [N], each row's chance of being positive, against ``positives`` [N], which is so."""
    predicted = scores > 0.5
    confusion = np.zeros((2, 2), int)
    np.add.at(confusion, (positives.astype(int), predicted.astype(int)), 1)
    hits, rate = confusion[1, 1], float(positives.mean())
    bands = _bands(scores, positives)
    return Judgement(
        accuracy=float((predicted == positives).mean()),
        precision=_share(hits, confusion[:, 1].sum()),
        recall=_share(hits, confusion[1].sum()),
        f1=_share(2 * hits, confusion[:, 1].sum() + confusion[1].sum()),
        roc_auc=Ranking.of(scores, positives).roc_auc(),
        log_loss=float(losses(scores, positives).mean()),
        calibration_error=float(sum(b.rows * abs(b.predicted - b.actual) for b in bands) / len(scores)),
        positive_share=rate,
        majority=max(rate, 1 - rate),
        confusion=confusion.tolist(),
        bands=bands,
    )


def losses(scores: Floats, positives: Booleans) -> npt.NDArray[np.float64]:
    """Each row's logarithmic loss [N]."""
    sure = np.clip(scores.astype(np.float64), LEAST, 1 - LEAST)
    return -np.where(positives, np.log(sure), np.log1p(-sure))


def softmax(logits: Floats) -> npt.NDArray[np.float64]:
    """Probabilities along the last axis."""
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


@dataclass(frozen=True)
class Ranking:
    """Rows sorted by score: their ``order`` [N], where in it each distinct score begins, and which are positive."""

    order: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    positives: Booleans

    @classmethod
    def of(cls, scores: Floats, positives: Booleans) -> Ranking:
        order = np.argsort(scores, kind="stable")
        ordered = scores[order]
        starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
        return cls(order, starts, positives[order])

    def roc_auc(self) -> float:
        """Return the share of pairs of a positive and a negative row in which the positive one has the higher score.

        Equals count half.
        """
        return auc_of_counts(*self._by_score())

    def curve(self) -> tuple[Floats, Floats]:
        """Return false and true positive rates, from (0, 0) to (1, 1), one point per distinct score."""
        hits, misses = self._by_score()
        found, wrong = np.cumsum(hits[::-1]), np.cumsum(misses[::-1])
        return np.append(0, wrong / wrong[-1]), np.append(0, found / found[-1])

    def places(self, most: int) -> Integers:
        """Return each row's place [N] among the distinct scores, from the lowest; neighbours share one of ``most``."""
        distinct = np.repeat(np.arange(len(self.starts)), np.diff(np.append(self.starts, len(self.order))))
        places = np.empty(len(self.order), np.int64)
        places[self.order] = distinct if len(self.starts) <= most else np.arange(len(distinct)) * most // len(distinct)
        return places

    def _by_score(self) -> tuple[Integers, Integers]:
        """Return how many positive and negative rows have each distinct score, from the lowest."""
        hits = np.add.reduceat(self.positives.astype(np.int64), self.starts)
        return hits, np.diff(np.append(self.starts, len(self.order))) - hits


def auc_of_counts(hits: npt.NDArray[Any], misses: npt.NDArray[Any]) -> float:
    """Of positive and negative rows by score, from the lowest; 0.5 where all rows are alike."""
    pairs = float(hits.sum()) * float(misses.sum())
    if not pairs:
        return 0.5
    below = np.cumsum(misses) - misses
    return float((hits * (below + misses / 2)).sum() / pairs)


def _bands(scores: Floats, positives: Booleans) -> tuple[Band, ...]:
    order = np.argsort(scores, kind="stable")
    pieces = [piece for piece in np.array_split(order, BANDS) if len(piece)]
    return tuple(Band(len(p), float(scores[p].mean()), float(positives[p].mean())) for p in pieces)


def _share(part: Any, whole: Any) -> float:
    return float(part / whole) if whole else 0.0
