"""From a network's logits to an intent and slots, as they are said, served and judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tasks.common.metrics import Floats


@dataclass(frozen=True)
class Answer:
    """``intent`` and ``slots``, one for each word, are numbers of labels; ``confidence`` is the intent's, 0 to 1."""

    intent: int
    confidence: float
    slots: tuple[int, ...]


def answers(logits: Floats, first: Sequence[Sequence[int]], slots: int, outside: int) -> list[Answer]:
    """Read logits [N, L, slots + intents]; ``first`` says at which piece each word of each question begins.

    A word that has no piece is ``outside`` of any slot.
    """
    found = []
    for row, pieces in zip(logits, first, strict=True):
        intents = row[0, slots:].astype(np.float64)
        chances = np.exp(intents - intents.max())
        best = int(intents.argmax())
        of_words = tuple(int(row[piece, :slots].argmax()) if piece >= 0 else outside for piece in pieces)
        found.append(Answer(best, float(chances[best] / chances.sum()), of_words))
    return found
