"""How much better one model is than another on the same rows, with an interval: the paired bootstrap.

Rows are drawn again with replacement, many times, both models being judged on the same draw; the interval holds the
middle of the gains. The draws are the same in every run, so that a repeated run decides the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.common.metrics import Booleans, Floats, Ranking, losses
from tasks.common.program import BadInput

METHOD = "paired bootstrap"
CONFIDENCE = 0.95
# Figures that can be compared, and whether more of it is better.
COMPARED = {"accuracy": 1, "precision": 1, "recall": 1, "f1": 1, "roc_auc": 1, "log_loss": -1}
_MOST_DRAWS, _FEWEST_DRAWS, _ROWS_DRAWN = 1000, 200, 10_000_000
_SEED = 1


def compare(
    challenger: Floats, champion: Floats, positives: Booleans, names: Mapping[str, str], confidence: float = CONFIDENCE
) -> dict[str, dict[str, Any]]:
    """``gain`` of the challenger by figure, above 0 where it is better, with ``low`` and ``high`` of the interval.

    :param challenger, champion: each row's chance of being positive [N]; ``positives`` [N] is what is so.
    :param names: the name each figure gets, to its name in ``metrics.Judgement``; those in COMPARED count.
    """
    if not 0 < confidence < 1:
        raise BadInput(f"--confidence is {confidence}; it must be between 0 and 1, such as 0.95.")
    models = [_Weighable.of(scores, positives) for scores in (challenger, champion)]
    wanted = {name: field for name, field in names.items() if field in COMPARED}
    gains = _gains(models, list(wanted.values()), len(positives))
    edges = [(1 - confidence) / 2, (1 + confidence) / 2]
    found = {}
    for place, name in enumerate(wanted):
        low, high = np.quantile(gains[1:, place], edges)
        values = {"gain": float(gains[0, place]), "low": float(low), "high": float(high)}
        found[name] = {**values, "confidence": confidence, "method": METHOD}
    return found


def _gains(models: list[_Weighable], fields: list[str], rows: int) -> npt.NDArray[np.float64]:
    """[1 + draws, figures]: of the rows as they are, then of each draw."""
    draws = int(np.clip(_ROWS_DRAWN // rows, _FEWEST_DRAWS, _MOST_DRAWS))
    random = np.random.default_rng(_SEED)
    signs = np.array([COMPARED[field] for field in fields])
    gains = np.empty((1 + draws, len(fields)))
    for draw in range(1 + draws):
        drawn = np.bincount(random.integers(0, rows, rows), minlength=rows) if draw else np.ones(rows, np.int64)
        better, worse = (np.array([model.figure(field, drawn) for field in fields]) for model in models)
        gains[draw] = signs * (better - worse)
    return gains


@dataclass(frozen=True)
class _Weighable:
    """One model's answers, ready to be judged with any weights of the rows."""

    right: npt.NDArray[np.float64]
    loss: npt.NDArray[np.float64]
    called: npt.NDArray[np.float64]
    truth: npt.NDArray[np.float64]
    ranking: Ranking

    @classmethod
    def of(cls, scores: Floats, positives: Booleans) -> _Weighable:
        called = scores > 0.5
        return cls(
            right=(called == positives).astype(np.float64),
            loss=losses(scores, positives),
            called=called.astype(np.float64),
            truth=positives.astype(np.float64),
            ranking=Ranking.of(scores, positives),
        )

    def figure(self, field: str, weights: npt.NDArray[np.int64]) -> float:
        if field == "roc_auc":
            return self.ranking.roc_auc(weights)
        if field in ("accuracy", "log_loss"):
            return float(weights @ (self.right if field == "accuracy" else self.loss) / weights.sum())
        called, true = float(weights @ self.called), float(weights @ self.truth)
        whole = {"precision": called, "recall": true, "f1": (called + true) / 2}[field]
        return float(weights @ (self.called * self.truth)) / whole if whole else 0.0
