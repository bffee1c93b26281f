"""How good predictions are. Checked against scikit-learn in the tests, whose import alone costs 5 CPU seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Integers = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Judgement:
    """Of a two-class model; precision, recall and F1 speak of the positive class, and are 0 where undefined.

    ``confusion[true][predicted]`` counts images, in the order of the classes.
    """

    accuracy: float
    precision: float
    recall: float
    f1: float
    roc_auc: float
    log_loss: float
    confusion: list[list[int]]

    @property
    def figures(self) -> dict[str, float]:
        """Everything that is one number."""
        return {name: value for name, value in vars(self).items() if name != "confusion"}


def judge(probabilities: Floats, labels: Integers, positive: int) -> Judgement:
    """``probabilities`` [N, 2] per class, ``labels`` [N]; both classes must occur."""
    predicted = probabilities.argmax(axis=1)
    confusion = np.zeros((2, 2), int)
    np.add.at(confusion, (labels, predicted), 1)
    hits = confusion[positive, positive]
    of_truth = np.clip(probabilities[np.arange(len(labels)), labels], 1e-15, 1)
    return Judgement(
        accuracy=float((predicted == labels).mean()),
        precision=_share(hits, confusion[:, positive].sum()),
        recall=_share(hits, confusion[positive].sum()),
        f1=_share(2 * hits, confusion[:, positive].sum() + confusion[positive].sum()),
        roc_auc=_roc_auc(probabilities[:, positive], labels == positive),
        log_loss=float(-np.log(of_truth).mean()),
        confusion=confusion.tolist(),
    )


def softmax(logits: Floats) -> npt.NDArray[np.float64]:
    """Probabilities along the last axis."""
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def roc_curve(scores: Floats, positives: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """False and true positive rates, from (0, 0) to (1, 1), one point per distinct score."""
    order = np.argsort(-scores, kind="stable")
    last_of_score = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    found = np.cumsum(positives[order])[last_of_score]
    wrong = 1 + last_of_score - found
    return np.append(0, wrong / (~positives).sum()), np.append(0, found / positives.sum())


def _roc_auc(scores: Floats, positives: npt.NDArray[np.bool_]) -> float:
    false_rate, true_rate = roc_curve(scores, positives)
    return float(np.trapezoid(true_rate, false_rate))


def _share(part: int, whole: int) -> float:
    return float(part / whole) if whole else 0.0
