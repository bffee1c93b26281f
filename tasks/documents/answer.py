"""An answer made of sentences of the documents themselves, each with the passage it stands in; or none.

A number from 0 to 1 says how sure it is: how near the best sentence is to the question in meaning, and how many of the
question's words stand in the passage around it. Below a threshold the documents do not tell.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tasks.common.metrics import Floats
from tasks.documents.index import Hit, Passage
from tasks.documents.instructions import instructs

THRESHOLD = 0.5
"""How sure an answer has to be where nobody has calibrated it."""
READ = 6
"""Passages whose sentences may answer."""
MOST_SENTENCES = 3
NEARLY_AS_GOOD = 0.85
"""Of the best sentence's score, what another needs to be said too."""
LEAST_WORDS = 3
"""Of a sentence; less is a heading or a number."""
HEADING = "#"

Embed = Callable[[Sequence[str]], Floats]

# What ends a sentence, then what begins one, but not after a title; or a line that ends.
_ENDS = re.compile(
    r"""(?:(?<=[.!?])|(?<=[.!?]["')\]]))(?<!\b[DM]r\.)(?<!\bMs\.)(?<!\bNo\.)\s+(?=["'(\[]*[A-Z0-9])|\s*\n\s*"""
)
_STOPS = re.compile(r"(?<=[.!?])\s+")
# Words of every question; the index leaves out others by itself.
_ASKING = frozenset(
    re.findall(
        r"\w+",
        "what which who whom whose when where why how do doe did can could may must should would will i we you my our "
        "your mani much long often there ani have has get am me us about",
    )
)


@dataclass(frozen=True)
class Said:
    """A sentence of an answer, word for word, and the passage that it stands in."""

    text: str
    passage: Passage


@dataclass(frozen=True)
class Answer:
    """Sentences, none where the documents do not tell; and how sure the best one was, from 0 to 1."""

    sentences: tuple[Said, ...]
    confidence: float

    @property
    def found(self) -> bool:
        return bool(self.sentences)


def answer(question: str, vector: Floats, hits: Sequence[Hit], embed: Embed, threshold: float = THRESHOLD) -> Answer:
    """Return the sentences of the passages found that answer a question best, or none below ``threshold``.

    :param vector: what ``embed`` makes of the question [width].
    """
    said = list(_sentences([hit.passage for hit in hits[:READ]]))
    if not said:
        return Answer((), 0.0)
    asked = words(question) - _ASKING
    near = np.clip(embed([each.text for each in said]) @ vector, 0, 1)
    around = {passage.id: words(f"{passage.title}\n{passage.text}") for passage in {each.passage for each in said}}
    shares = np.array([_share(asked, words(each.text)) for each in said])
    context = np.array([_share(asked, around[each.passage.id]) for each in said])
    scores = (2 * near + shares + context) / 4
    best = int(np.argmax(scores))
    confidence = float(near[best] + context[best]) / 2
    if confidence < threshold:
        return Answer((), confidence)
    chosen = [number for number in np.argsort(-scores) if scores[number] >= NEARLY_AS_GOOD * scores[best]]
    # As a reader meets them: passage by passage, the best passage first, and each from its beginning.
    first = {each.passage.id: rank for rank, each in reversed(list(enumerate(said)))}
    lead = said[best].passage.id
    order = sorted(chosen[:MOST_SENTENCES], key=lambda n: (said[n].passage.id != lead, first[said[n].passage.id], n))
    return Answer(tuple(said[number] for number in order), confidence)


def calibrated(confidences: Sequence[float], answerable: Sequence[bool]) -> float:
    """Return the threshold that tells best which questions the documents answer.

    It lies in the middle between two confidences, where the shares of both kinds that are told right are highest in
    their mean; of several such places, in the widest. Raises ValueError where a kind is missing.
    """
    sure, true = np.asarray(confidences, float), np.asarray(answerable, bool)
    if true.all() or not true.any():
        raise ValueError("a threshold needs questions that have an answer and questions that have none")
    edges = np.unique(np.concatenate([sure, [0.0, 1.0]]))
    between, gaps = (edges[:-1] + edges[1:]) / 2, np.diff(edges)
    right = [(np.mean(sure[true] >= each) + np.mean(sure[~true] < each)) / 2 for each in between]
    return float(between[max(range(len(between)), key=lambda number: (round(right[number], 9), gaps[number]))])


def sentences(text: str) -> list[str]:
    """Cut a text into its sentences; a line of a list or a table is one."""
    return [each for part in _ENDS.split(text) if (each := part.strip())]


def quotable(text: str) -> list[str]:
    """Return the sentences of a text but those that tell an assistant what to do."""
    found: list[str] = []
    for each in sentences(text):
        # An order that does not begin as a sentence does takes what stands before it along otherwise.
        found += [part for part in _STOPS.split(each) if not instructs(part)] if instructs(each) else [each]
    return found


def words(text: str) -> set[str]:
    """Return the words of a text as the index knows them: stems, in lower case, without those that say little."""
    import lancedb

    return {token.text for token in lancedb.tokenize(text)}


def _sentences(passages: Sequence[Passage]) -> list[Said]:
    """Return what may be said of passages: no sentence twice, and none that tells an assistant what to do."""
    found: dict[str, Said] = {}
    for passage in passages:
        for text in quotable(passage.text):
            if len(text.split()) >= LEAST_WORDS and not text.startswith(HEADING):
                found.setdefault(text, Said(text, passage))
    return list(found.values())


def _share(asked: set[str], there: set[str]) -> float:
    return len(asked & there) / len(asked) if asked else 0.0
