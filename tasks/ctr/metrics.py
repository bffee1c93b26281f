"""How good chances of a click are, as predictions and as numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
BANDS = 10
_LEAST = 1e-7  # a forest may say 0, and be wrong once: its log loss stays finite


@dataclass(frozen=True)
class Band:
    """Rows whose chance was predicted to be within one tenth of all predictions."""

    rows: int
    predicted: float
    clicked: float


@dataclass(frozen=True)
class Judgement:
    """``calibration_error`` is the mean distance between predicted and actual click rate over the bands, by rows;
    ``majority`` the accuracy of always saying the commoner answer."""

    accuracy: float
    auc: float
    log_loss: float
    calibration_error: float
    click_rate: float
    majority: float
    bands: tuple[Band, ...]

    @property
    def figures(self) -> dict[str, float]:
        return {name: value for name, value in vars(self).items() if name != "bands"}


def judge(scores: Floats, labels: npt.NDArray[Any]) -> Judgement:
    """Chances of a click [N] against what happened [N], 0 or 1. The AUC is 0.5 where all rows are alike."""
    clicked = labels.astype(bool)
    rate = float(clicked.mean())
    sure = np.clip(scores, _LEAST, 1 - _LEAST)
    bands = _bands(scores, clicked)
    error = sum(band.rows * abs(band.predicted - band.clicked) for band in bands) / len(scores)
    return Judgement(
        accuracy=float(((scores > 0.5) == clicked).mean()),
        auc=_auc(scores, clicked),
        log_loss=float(-np.where(clicked, np.log(sure), np.log1p(-sure)).mean()),
        calibration_error=float(error),
        click_rate=rate,
        majority=max(rate, 1 - rate),
        bands=bands,
    )


def _auc(scores: Floats, clicked: npt.NDArray[np.bool_]) -> float:
    """The share of pairs of a click and none in which the click has the higher score, equals counting half."""
    clicks = int(clicked.sum())
    others = len(clicked) - clicks
    if not clicks or not others:
        return 0.5
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    hits = np.add.reduceat(clicked[order].astype(np.int64), starts)
    misses = np.diff(np.append(starts, len(ordered))) - hits
    below = np.cumsum(misses) - misses
    return float((hits * (below + misses / 2)).sum() / (clicks * others))


def _bands(scores: Floats, clicked: npt.NDArray[np.bool_]) -> tuple[Band, ...]:
    order = np.argsort(scores, kind="stable")
    pieces = [piece for piece in np.array_split(order, BANDS) if len(piece)]
    return tuple(Band(len(p), float(scores[p].mean()), float(clicked[p].mean())) for p in pieces)
