"""What a way of answering gives and takes: which questions it answers, and seconds, bytes and cost of its life."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from tasks.common.mean_comparison import compare_means
from tasks.common.metrics import Booleans, Floats
from tasks.common.progress import Progress, say
from tasks.documents.comparison.material import Material
from tasks.documents.comparison.ways import Way, changed
from tasks.documents.evaluate import COMPARED, K
from tasks.documents.questions import Question

CHANGE = 0.01
"""Of the documents, that change."""
A_THOUSAND, AN_HOUR = 1000, 3600
KNOWN, LATER = "known", "later"


@dataclass(frozen=True)
class Measured:
    """One way. ``found`` has recall and reciprocal rank of each question [N], ``later`` which are of later documents.

    :param ready_s: from documents and the base encoder until the first question; ``again_s`` after a change of 1 %.
    :param ask_s: of each question [N].
    """

    found: Mapping[str, Floats]
    later: Booleans
    ready_s: float
    ask_s: Floats
    again_s: float
    bytes: int

    def figures(self, price: float) -> dict[str, float]:
        """Return one row of the table: of known and later documents recall and rank, then what it takes.

        :param price: of an hour, with which seconds are multiplied to costs.
        """
        cost = {"ready": self.ready_s, "1000": A_THOUSAND * float(self.ask_s.mean()), "again": self.again_s}
        return {
            **{side: float(self.found["recall_at_5"][of].mean()) for side, of in self.sides.items()},
            **{f"mrr_{side}": float(self.found["mrr"][of].mean()) for side, of in self.sides.items()},
            "ready_s": self.ready_s,
            "p50_ms": 1000 * float(np.quantile(self.ask_s, 0.5)),
            "p95_ms": 1000 * float(np.quantile(self.ask_s, 0.95)),
            "again_s": self.again_s,
            "mb": self.bytes / 1e6,
            **{f"cost_{name}": seconds * price / AN_HOUR for name, seconds in cost.items()},
        }

    def interval(self, name: str, side: str, confidence: float) -> tuple[float, float]:
        """Return the interval of a figure's mean by bootstrap, ``side`` being known or later."""
        values = self.found[name][self.sides[side]]
        told = compare_means({name: values}, {name: np.zeros_like(values)}, {name: 1}, confidence)[name]
        return told["low"], told["high"]

    @property
    def sides(self) -> dict[str, Booleans]:
        """Which questions [N] are of known documents, and which of later ones."""
        return {KNOWN: ~self.later, LATER: self.later}


def measure(name: str, material: Material, before_s: float, prepare: Callable[[], Way], encoder_bytes: int) -> Measured:
    """Prepare a way, ask it all questions one after the other, and bring it to a change.

    :param before_s: seconds that were spent for it before, such as on tuning and embedding.
    """
    begun = time.perf_counter()
    way = prepare()
    ready_s = before_s + time.perf_counter() - begun
    asked: list[Question] = [*material.known, *material.later]
    way.find(asked[0].text)  # what is only loaded once is no question's
    found: dict[str, list[float]] = {figure: [] for figure in COMPARED}
    seconds = []
    with Progress(len(asked), "questions", f"Asking {name}") as progress:
        for question in asked:
            begun = time.perf_counter()
            near = way.find(question.text)
            seconds.append(time.perf_counter() - begun)
            rank = next((rank for rank, each in enumerate(near, 1) if question.is_told_by(each)), None)
            found["recall_at_5"].append(float(rank is not None and rank <= K))
            found["mrr"].append(1 / rank if rank else 0.0)
            progress.advance()
    kept = way.bytes()
    new = changed(material.passages, changing(material))
    begun = time.perf_counter()
    way.change(new)
    again_s = time.perf_counter() - begun
    say(f"{name}: ready in {ready_s:.1f} s, recall at 5 {np.mean(found['recall_at_5']):.3f}")
    arrays = {figure: np.array(values) for figure, values in found.items()}
    later = np.arange(len(asked)) >= len(material.known)
    return Measured(arrays, later, ready_s, np.array(seconds), again_s, kept + encoder_bytes)


def changing(material: Material) -> frozenset[str]:
    """Return the documents that change, 1 % of all and at least one, of those that were learned."""
    files = sorted(material.learned)
    count = math.ceil(CHANGE * len({each.file for each in material.passages}))
    return frozenset(files[:: max(1, len(files) // count)][:count])


def gains(new: Measured, old: Measured, confidence: float) -> dict[str, dict[str, float]]:
    """Return ``gain``, ``low`` and ``high`` of one way over another by reciprocal rank, of each kind of question."""
    told = {}
    for side, of in new.sides.items():
        gain = compare_means({"mrr": new.found["mrr"][of]}, {"mrr": old.found["mrr"][of]}, {"mrr": 1}, confidence)
        told[side] = {edge: round(gain["mrr"][edge], 4) for edge in ("gain", "low", "high")}
    return told
