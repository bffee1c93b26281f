"""Calls: what is said, as MiniLM understands it, how sure the champion is of its sentiment, and how often it is right.

Compared are labelled sentences, as people corrected them. What is said word for word in many calls ("Thank you.")
belongs to each of them, so that a new call is compared whole. Sentences that people corrected in calls that nobody has
labelled are left aside: people correct what is wrong, so that of these alone the champion would look worse than it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from tasks.calls import dataset, evaluate
from tasks.calls.dataset import Sentence
from tasks.calls.sentiment import INPUT, OUTPUT, numbers
from tasks.common.data import open_source
from tasks.common.judging import Incomparable
from tasks.common.metrics import Floats, softmax
from tasks.common.onnx_model import OnnxModel
from tasks.common.program import BadInput
from tasks.common.tokens import Tokens
from tasks.drift import texts
from tasks.drift.sample import NothingNew, Pair, Sample, Source

LIMIT = texts.LIMIT


def read(source: Source) -> Pair:
    """Sentences of the baseline, and those of calls that are labelled in no earlier version.

    The champion is asked about sentences of calls that training holds out, old and new ones alike.
    """
    known = {sentence.call for url in source.known for sentence in _labelled(url)}
    new = [sentence for sentence in _labelled(source.data) if sentence.call not in known]
    if not new:
        raise NothingNew(f"All labelled calls of {source.data} were there before; there is no new one.")
    before, after = (_sample(sentences, source) for sentences in (_labelled(source.baseline), new))
    return Pair(before, after, figure="accuracy", better=1, chance="confidence of the sentiment")


def _labelled(url: str) -> list[Sentence]:
    return dataset.said(open_source(url)).labelled


def _sample(sentences: Sequence[Sentence], source: Source) -> Sample:
    chosen = _some(sentences, source.limit)
    chances, figures = _asked(_some(_unseen(sentences, source), source.limit), source)
    return Sample(
        rows=len(chosen),
        columns=texts.columns([dataset.words(sentence.text) for sentence in chosen]),
        chances=chances,
        figures=figures,
        embedding=texts.embedded([sentence.text for sentence in chosen], source.threads),
    )


def _some(sentences: Sequence[Sentence], most: int) -> list[Sentence]:
    """At most so many, the same ones every time."""

    def order(sentence: Sentence) -> str:
        return hashlib.sha256(f"{sentence.call} {sentence.side} {sentence.start}".encode()).hexdigest()

    return sorted(sentences, key=order)[:most]


def _unseen(sentences: Sequence[Sentence], source: Source) -> list[Sentence]:
    """Sentences of held-out calls; what was said there word for word in training is not among them."""
    model = source.model
    try:
        trained, share = evaluate.known_to(model), float(model.data["held_out_share"])
    except Incomparable as error:
        raise BadInput(f"{error}.") from error
    except (KeyError, TypeError, ValueError):
        raise BadInput(f"Model {model.name} does not say which calls it held out; train it again.") from None
    held_out = {call for call in {s.call for s in sentences} if dataset.held_out(call, share)}
    return [s for s in sentences if s.call in held_out and s.digest[:16] not in trained]


def _asked(sentences: Sequence[Sentence], source: Source) -> tuple[Floats, Floats]:
    """How sure the champion is of each sentence's sentiment [N], and whether it is right [N]."""
    network = OnnxModel.load(source.model.onnx, inputs=INPUT, outputs=OUTPUT, threads=source.threads)
    tokens = Tokens.of(source.model.onnx.parent)
    chances, right = [], []
    for group in texts.groups(sentences, "Asking the champion"):
        found = softmax(np.asarray(network(numbers(tokens, [sentence.text for sentence in group]))))
        chances += found.max(axis=1).tolist()
        right += (found.argmax(axis=1) == [sentence.sentiment for sentence in group]).tolist()
    return np.array(chances, np.float64), np.array(right, np.float64)
