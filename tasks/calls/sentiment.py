"""The sentiment of a text: how it is asked of the network, and how its answer is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tasks.common.metrics import Floats
from tasks.common.tokens import Integers, Tokens

LABELS = ("negative", "neutral", "positive")
VALUES = (-1, 0, 1)
"""Of the labels, where a difference between two sentiments is asked for."""
MODEL = "call_sentiment"
INPUT, OUTPUT = "tokens", "logits"
MOST_CHARACTERS = 2000


@dataclass(frozen=True)
class Scores:
    """The chance of each sentiment; together they are 1."""

    negative: float
    neutral: float
    positive: float

    @property
    def label(self) -> str:
        values = (self.negative, self.neutral, self.positive)
        return LABELS[values.index(max(values))]

    def to_json(self) -> dict[str, float]:
        return {label: round(getattr(self, label), 6) for label in LABELS}


def numbers(tokens: Tokens, texts: Sequence[str]) -> Integers:
    """Return the network's input [N, longest] for texts; what goes beyond 2,000 characters is not looked at."""
    return tokens.of_texts([text[:MOST_CHARACTERS] for text in texts])


def scores(logits: Floats) -> list[Scores]:
    """Read the network's output [N, 3]."""
    chances = np.exp(logits - logits.max(1, keepdims=True), dtype=np.float64)
    chances /= chances.sum(1, keepdims=True)
    return [Scores(*(float(chance) for chance in row)) for row in chances]
