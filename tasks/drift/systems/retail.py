"""Retail assistant: what people ask, as MiniLM understands it, and how sure the assistant is of their intent."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tasks.common.data import open_source
from tasks.common.onnx_model import OnnxModel
from tasks.common.program import BadInput
from tasks.common.tokens import Tokens
from tasks.drift import texts
from tasks.drift.sample import NothingNew, Pair, Sample, Source
from tasks.retail import dataset
from tasks.retail.dataset import Question, Questions
from tasks.retail.evaluate import known_to
from tasks.retail.export import QUESTIONS
from tasks.retail.labels import OUTSIDE, spans
from tasks.retail.model import INPUT, OUTPUT
from tasks.retail.reading import answers

LIMIT = texts.LIMIT


def read(source: Source) -> Pair:
    """Questions of the baseline, those first that the champion was not trained on, and questions never asked before.

    Labels that no person has looked at are left out: the champion gave them itself.
    """
    trained = _trained_on(source)
    newest = _load(source.data)
    known = {question.digest for url in source.known for question in _all(_load(url))}
    new = [question for question in _all(newest) if question.digest not in known]
    if not new:
        raise NothingNew(f"All questions of {source.data} were asked before; there is no new one.")
    baseline = _load(source.baseline)
    old = sorted(_all(baseline), key=lambda question: (question.digest[:16] in trained, question.digest))
    new.sort(key=lambda question: question.digest)
    before = _sample(baseline, old[: source.limit], trained, source)
    after = _sample(newest, new[: source.limit], trained, source)
    return Pair(before, after, figure="exact match", better=1, chance="confidence of the intent")


def _load(url: str) -> Questions:
    return dataset.load(open_source(url), people_only=True)


def _all(questions: Questions) -> list[Question]:
    """Every question once."""
    return list({question.digest: question for question in questions.training + questions.held_out}.values())


def _trained_on(source: Source) -> frozenset[str]:
    try:
        return known_to(source.model)
    except (OSError, ValueError):
        raise BadInput(
            f"Model {source.model.name} has no {QUESTIONS}, which says what it was trained on; train it again."
        ) from None


def _sample(told: Questions, chosen: Sequence[Question], trained: frozenset[str], source: Source) -> Sample:
    chances, right = _asked(told, [question for question in chosen if question.digest[:16] not in trained], source)
    return Sample(
        rows=len(chosen),
        columns=texts.columns([question.words for question in chosen]),
        chances=np.array(chances),
        figures=np.array(right, np.float64),
        embedding=texts.embedded([question.text for question in chosen], source.threads),
    )


def _asked(told: Questions, questions: Sequence[Question], source: Source) -> tuple[list[float], list[bool]]:
    """How sure the champion is of each question's intent, and whether all of its answer is right, by names of labels.

    A label that the champion does not know it gets wrong.
    """
    slots, intents = (list(source.model.description[name]) for name in ("slots", "intents"))
    network = OnnxModel.load(source.model.onnx, inputs=INPUT, outputs=OUTPUT, threads=source.threads)
    tokens = Tokens.of(source.model.onnx.parent)
    chances, right = [], []
    for group in texts.groups(questions, "Asking the champion"):
        numbers, first = tokens.numbers([question.words for question in group])
        found = answers(network(numbers), first, len(slots), slots.index(OUTSIDE))
        for question, answer in zip(group, found, strict=True):
            meant = set(spans([told.slots[slot] for slot in question.slots]))
            said = set(spans([slots[slot] for slot in answer.slots]))
            chances.append(answer.confidence)
            right.append(told.intents[question.intent] == intents[answer.intent] and meant == said)
    return chances, right
