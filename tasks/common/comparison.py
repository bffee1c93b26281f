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

from tasks.common.metrics import Booleans, Floats, Integers, Ranking, auc_of_counts, losses
from tasks.common.program import BadInput

METHOD = "paired bootstrap"
CONFIDENCE = 0.95
# Figures that can be compared, and whether more of it is better.
COMPARED = {"accuracy": 1, "precision": 1, "recall": 1, "f1": 1, "roc_auc": 1, "log_loss": -1}
_MOST_DRAWS, _FEWEST_DRAWS, _ROWS_DRAWN = 1000, 200, 10_000_000
_BINS = 4096
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
        drawn = np.bincount(random.integers(0, rows, rows), minlength=rows) if draw else None
        weights = None if drawn is None else drawn.astype(np.float64)
        better, worse = (np.array([model.figure(field, weights) for field in fields]) for model in models)
        gains[draw] = signs * (better - worse)
    return gains


@dataclass(frozen=True)
class _Weighable:
    """One model's answers, ready to be judged with any weights of the rows.

    ``codes`` are twice the place of a row's score among all, in at most _BINS bins, and 1 more for a positive row: the
    ROC AUC of a draw needs no sorting. With more distinct scores than bins it is right to about 1 in 10,000 of itself,
    which counts for the width of an interval only; the gain itself is exact.
    """

    right: npt.NDArray[np.float64]
    loss: npt.NDArray[np.float64]
    called: npt.NDArray[np.float64]
    truth: npt.NDArray[np.float64]
    codes: Integers
    roc_auc: float

    @classmethod
    def of(cls, scores: Floats, positives: Booleans) -> _Weighable:
        called, ranking = scores > 0.5, Ranking.of(scores, positives)
        return cls(
            right=(called == positives).astype(np.float64),
            loss=losses(scores, positives),
            called=called.astype(np.float64),
            truth=positives.astype(np.float64),
            codes=2 * ranking.places(_BINS) + positives,
            roc_auc=ranking.roc_auc(),
        )

    def figure(self, field: str, weights: npt.NDArray[np.float64] | None) -> float:
        """Without ``weights``, of the rows as they are."""
        if field == "roc_auc":
            return self.roc_auc if weights is None else self._roc_auc(weights)
        weights = np.ones(len(self.truth)) if weights is None else weights
        if field in ("accuracy", "log_loss"):
            return _sum(weights, self.right if field == "accuracy" else self.loss) / len(weights)
        called, true = _sum(weights, self.called), _sum(weights, self.truth)
        whole = {"precision": called, "recall": true, "f1": (called + true) / 2}[field]
        return _sum(weights, self.called * self.truth) / whole if whole else 0.0

    def _roc_auc(self, weights: npt.NDArray[np.float64]) -> float:
        counts = np.bincount(self.codes, weights)
        misses, hits = np.append(counts, np.zeros(len(counts) % 2)).reshape(-1, 2).T
        return auc_of_counts(hits, misses)


def _sum(weights: npt.NDArray[np.float64], values: npt.NDArray[np.float64]) -> float:
    """Return the weighted sum. ``@`` would share so small a sum among threads, which costs more than it saves."""
    return float(np.einsum("i,i", weights, values))
