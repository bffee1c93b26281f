"""With how many bits a network is served: with 8 where it answers as well as with 32."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tasks.common import int8
from tasks.common.model_folder import ONNX
from tasks.common.onnx_model import OnnxModel
from tasks.common.progress import say
from tasks.common.tokens import Tokens
from tasks.retail import scoring
from tasks.retail.dataset import Questions
from tasks.retail.labels import OUTSIDE
from tasks.retail.model import INPUT, OUTPUT
from tasks.retail.reading import Answer, answers

INT8, FP32 = "int8", "fp32"
LEAST = 0.99
"""Share of FP32's figures on held-out questions that INT8 has to keep."""
KEPT = (scoring.INTENT, scoring.SLOTS)
_BATCH = 16


@dataclass(frozen=True)
class Served:
    """The network as it is served, its ``figures`` on held-out questions, and what is ``told`` of the choice."""

    onnx: bytes
    figures: dict[str, float]
    told: dict[str, Any]


def chosen(wanted: str, onnx: bytes, tokens: Tokens, questions: Questions, threads: int) -> Served:
    """Return the network ``onnx`` of FP32, or INT8's of it where that is ``wanted`` and keeps enough of its figures."""
    whole = _figures(onnx, tokens, questions, threads)
    if wanted == FP32:
        return Served(onnx, whole, {"served": FP32})
    small = int8.dynamic(onnx)
    figures = _figures(small, tokens, questions, threads)
    shares = {name: round(figures[name] / whole[name], 6) if whole[name] else 0.0 for name in KEPT}
    served = INT8 if min(shares.values()) >= LEAST else FP32
    kept = ", ".join(f"{share:.2%} of its {name}" for name, share in shares.items())
    say(f"INT8 keeps {kept}; it needs {LEAST:.0%}, so {served.upper()} is served")
    told = {"served": served, "share": shares}
    return Served(small, figures, told) if served == INT8 else Served(onnx, whole, told)


def _figures(onnx: bytes, tokens: Tokens, questions: Questions, threads: int) -> dict[str, float]:
    network = OnnxModel(onnx, ONNX, inputs=INPUT, outputs=OUTPUT, threads=threads)
    count, outside = len(questions.slots), questions.slots.index(OUTSIDE)
    found: list[Answer] = []
    for start in range(0, len(questions.held_out), _BATCH):
        words = [question.words for question in questions.held_out[start : start + _BATCH]]
        numbers, first = tokens.numbers(words)
        found += answers(network(numbers), first, count, outside)
    return scoring.score(questions.held_out, found, questions.slots).figures()
