"""How good a model is, alone and behind its recogniser, with intervals by the bootstrap over calls.

Alone it reads what was said; behind the recogniser, what that made of it. A sentiment counts as -1, 0 or 1, and a
difference between two is at most 2.

| Figure | Is |
| --- | --- |
| ``macro_f1``, ``macro_precision``, ``macro_recall``, ``accuracy`` | of the sentiment of what was said |
| ``pipeline_difference`` | mean difference of the labelled sentiment and the one of the recognised text |
| ``recognition_difference`` | mean difference of the model's sentiment of what was said and of the recognised text |
| ``pipeline_macro_f1`` | macro F1 of the sentiment of the recognised text |
| ``word_error_rate`` | of the recogniser; beside the others, and part of none |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.calls.sentiment import LABELS, VALUES
from tasks.common.comparison import METHOD
from tasks.common.program import BadInput

PIPELINE, RECOGNITION, PIPELINE_F1 = "pipeline_difference", "recognition_difference", "pipeline_macro_f1"
F1, PRECISION, RECALL, ACCURACY, WORD_ERRORS = (
    "macro_f1",
    "macro_precision",
    "macro_recall",
    "accuracy",
    "word_error_rate",
)
BETTER = {PIPELINE: -1, F1: 1, PIPELINE_F1: 1, RECOGNITION: -1}
"""Figures that two models are compared by, and whether more of it is better."""
DRAWS = 1000
_SEED = 1
Counts = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Answered:
    """A model's answers to one sentence: numbers of LABELS. What is heard is None where there is no recording."""

    call: str
    true: int
    read: int
    heard: int | None = None
    word_errors: int = 0
    words: int = 0


@dataclass(frozen=True)
class Scored:
    """Counts by call [C, ...]: confusions (true, found) of what is read and heard, and sums over what is heard."""

    calls: tuple[str, ...]
    read: Counts
    heard: Counts
    apart: Counts
    word_errors: Counts
    words: Counts

    def figures(self, weights: Counts | None = None) -> dict[str, float]:
        """Return the figures, each call counting ``weights`` [C] times; none of the pipeline where nothing is heard."""
        weights = np.ones(len(self.calls)) if weights is None else weights
        read, heard = (np.tensordot(weights, counts, 1) for counts in (self.read, self.heard))
        precision, recall, f1 = _macro(read)
        found = {F1: f1, PRECISION: precision, RECALL: recall, ACCURACY: float(np.trace(read) / read.sum())}
        if heard.sum():
            found |= {
                PIPELINE: float((heard * _DISTANCE).sum() / heard.sum()),
                RECOGNITION: float(weights @ self.apart / heard.sum()),
                PIPELINE_F1: _macro(heard)[2],
                WORD_ERRORS: float(weights @ self.word_errors / max(1.0, float(weights @ self.words))),
            }
        return found

    @property
    def spoken(self) -> int:
        """Sentences that have been heard."""
        return int(self.heard.sum())


_DISTANCE = np.abs(np.subtract.outer(VALUES, VALUES)).astype(np.float64)


def score(answers: Sequence[Answered]) -> Scored:
    """Count by call, in the order of their ids."""
    calls = tuple(sorted({answer.call for answer in answers}))
    row_of = {call: row for row, call in enumerate(calls)}
    kinds = len(LABELS)
    read, heard = np.zeros((2, len(calls), kinds, kinds))
    apart, word_errors, words = np.zeros((3, len(calls)))
    for answer in answers:
        row = row_of[answer.call]
        read[row, answer.true, answer.read] += 1
        if answer.heard is not None:
            heard[row, answer.true, answer.heard] += 1
            apart[row] += _DISTANCE[answer.read, answer.heard]
            word_errors[row] += answer.word_errors
            words[row] += answer.words
    return Scored(calls, read, heard, apart, word_errors, words)


def intervals(scored: Scored, confidence: float) -> dict[str, tuple[float, float]]:
    """Lower and upper edge of each figure's interval."""
    _check(confidence)
    drawn = [scored.figures(weights) for weights in _draws(scored)]
    edges = _edges(confidence)
    return {
        name: (float(low), float(high))
        for name in scored.figures()
        for low, high in [np.quantile([figures[name] for figures in drawn if name in figures], edges)]
    }


def compare(one: Scored, other: Scored, confidence: float) -> dict[str, dict[str, Any]]:
    """``gain`` of the first by figure, above 0 where it is better, with ``low`` and ``high``: on the same draws."""
    _check(confidence)
    if one.calls != other.calls:
        raise ValueError("two models are compared on the same calls only")
    gains = []
    for weights in (None, *_draws(one)):
        first, second = one.figures(weights), other.figures(weights)
        both = BETTER.keys() & first.keys() & second.keys()
        gains.append({name: BETTER[name] * (first[name] - second[name]) for name in both})
    found = {}
    for name in BETTER:
        if name in gains[0]:
            low, high = np.quantile([gain[name] for gain in gains[1:] if name in gain], _edges(confidence))
            values = {"gain": gains[0][name], "low": float(low), "high": float(high)}
            found[name] = {**values, "confidence": confidence, "method": METHOD}
    return found


def _macro(confusion: Counts) -> tuple[float, float, float]:
    """Precision, recall and F1, the mean over the sentiments that are there or were found."""
    right, true, found = np.diag(confusion), confusion.sum(1), confusion.sum(0)
    counts = (true + found) > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        each = [np.where(whole > 0, part / whole, 0.0) for part, whole in ((right, found), (right, true))]
    f1 = 2 * right[counts] / (true + found)[counts]
    return float(each[0][counts].mean()), float(each[1][counts].mean()), float(f1.mean())


def _draws(scored: Scored) -> list[Counts]:
    """Weights [C] of the calls: the same in every run."""
    random, count = np.random.default_rng(_SEED), len(scored.calls)
    return [np.bincount(random.integers(0, count, count), minlength=count).astype(np.float64) for _ in range(DRAWS)]


def _edges(confidence: float) -> list[float]:
    return [(1 - confidence) / 2, (1 + confidence) / 2]


def _check(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise BadInput(f"--confidence is {confidence}; it must be between 0 and 1, such as 0.95.")


def told(figures: Mapping[str, float]) -> str:
    """Return figures as a part of a sentence."""
    return ", ".join(f"{name} {value:.3f}" for name, value in figures.items())
