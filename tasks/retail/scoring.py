"""How good answers are: right intents, F1 of whole slots, questions without any fault, and whole dialogs that end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tasks.retail.dataset import Question
from tasks.retail.labels import spans
from tasks.retail.reading import Answer

INTENT, SLOTS, WHOLE = "intent_accuracy", "slot_f1", "exact_match"
FIGURES = (INTENT, SLOTS, WHOLE)
DIALOGS = "dialogs_ended"
"""Share of the conversations that ask the services they should ask, and no other; where there are such."""
Counts = npt.NDArray[np.float64]
_RIGHT, _TRUE, _FOUND, _BOTH, _EXACT = range(5)


@dataclass(frozen=True)
class Scored:
    """``counts`` [N, 5] of each question: intent right, slots there, slots found, slots both, all of it right."""

    counts: Counts

    def figures(self, weights: Counts | None = None) -> dict[str, float]:
        """Return the figures, each question counting ``weights`` [N] times."""
        counts = self.counts if weights is None else self.counts * weights[:, None]
        total = len(self.counts) if weights is None else weights.sum()
        right, true, found, both, exact = counts.sum(0)
        return {
            INTENT: float(right / total),
            # Without a slot in the truth nor in the answers nothing was wrong.
            SLOTS: float(2 * both / (true + found)) if true + found else 1.0,
            WHOLE: float(exact / total),
        }


def score(questions: Sequence[Question], answers: Sequence[Answer], labels: Sequence[str]) -> Scored:
    """Count what is right. A slot is found where name, first and last word are those of the truth."""
    counts = np.zeros((len(questions), 5))
    for row, question, answer in zip(counts, questions, answers, strict=True):
        true = set(spans([labels[slot] for slot in question.slots]))
        found = set(spans([labels[slot] for slot in answer.slots]))
        row[_RIGHT] = answer.intent == question.intent
        row[_TRUE], row[_FOUND], row[_BOTH] = len(true), len(found), len(true & found)
        row[_EXACT] = row[_RIGHT] and true == found
    return Scored(counts)
