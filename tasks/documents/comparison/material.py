"""What is learned, what comes later, and what is asked of both: the passages of one frozen index, divided.

A share of the documents, drawn by their text and the seed, comes *later*: nothing of them is learned, as nothing can be
learned of what changes after a training. Documents with the same text stay together. Of every sentence of the others
that is long enough, a few wordings are learned: half of its words in their order, as people type what they look for.

What is asked was never learned: of a *known* document another wording of a sentence, of a *later* one a wording of a
sentence that stands in no known document. A user's own questions are asked and never learned.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from tasks.common.program import BadInput
from tasks.common.split import is_held_out
from tasks.documents.index import Passage
from tasks.documents.questions import Question, askable

WORDINGS = 4
"""Of a sentence, that are learned."""
FEWEST_WORDS = 4
"""Of a wording."""
FEWEST_QUESTIONS = 5
"""Of either kind, so that there is something to compare."""

Example = tuple[str, int]
"""A wording, and the place of the passage that answers it."""


@dataclass(frozen=True)
class Material:
    """``examples`` are learned, by place in ``passages``; ``known`` and ``later`` are asked; ``learned`` are files."""

    passages: Sequence[Passage]
    learned: frozenset[str]
    examples: Sequence[Example]
    known: Sequence[Question]
    later: Sequence[Question]

    @property
    def digest(self) -> str:
        """Of all that is learned and asked."""
        told = [*((text, self.passages[place].id) for text, place in self.examples)]
        asked = [question.text for question in (*self.known, *self.later)]
        return hashlib.sha256(repr((told, asked)).encode()).hexdigest()


def divided(
    passages: Sequence[Passage], seed: int, later_share: float, most: int, own: Sequence[Question] = ()
) -> Material:
    """Divide the passages of an index.

    :param later_share: of the documents, that come later; more than 0 and less than 1.
    :param most: questions made of either kind, at most. ``own``: a user's, asked beside them.

    Raises BadInput where either side has too little to learn or to ask.
    """
    if not 0 < later_share < 1:
        raise BadInput(f"--later-share is {later_share:g}; it must be between 0 and 1, such as 0.2.")
    if most < FEWEST_QUESTIONS:
        raise BadInput(f"--questions is {most}; ask at least {FEWEST_QUESTIONS} of either kind.")
    passages = sorted(passages, key=lambda each: (each.file, each.position))
    learned = _learned(passages, seed, later_share)
    known = dict.fromkeys(each.text for each in passages if each.file in learned)
    told = {sentence for text in known for sentence in askable(text)}
    asked = _asked(known, frozenset(), seed, most)
    later = _asked((each.text for each in passages if each.text not in known), told, seed, most)
    kept = {question.text for question in (*asked, *later)}
    examples = [
        (text, place)
        for place, each in enumerate(passages)
        if each.file in learned
        for text in dict.fromkeys(_wordings(each.text, seed))
        if text not in kept
    ]
    indexed = {each.file for each in passages}
    answerable = [question for question in own if question.files & indexed]
    found = Material(
        passages,
        learned,
        examples,
        [*asked, *(question for question in answerable if question.files & learned)],
        [*later, *(question for question in answerable if not question.files & learned)],
    )
    for what, there in (("known", found.known), ("later", found.later)):
        if len(there) < FEWEST_QUESTIONS:
            raise BadInput(
                f"{len(there)} questions can be asked of {what} documents, and a comparison needs {FEWEST_QUESTIONS}: "
                "index more documents, or choose another share of later ones."
            )
    return found


def _learned(passages: Sequence[Passage], seed: int, later_share: float) -> frozenset[str]:
    texts: dict[str, list[str]] = {}
    for each in passages:
        texts.setdefault(each.file, []).append(each.text)

    def comes_later(file: str) -> bool:
        told = hashlib.sha256(repr((seed, texts[file])).encode()).hexdigest()
        return is_held_out(told, later_share)

    return frozenset(file for file in texts if not comes_later(file))


def _asked(texts: Iterable[str], without: Collection[str], seed: int, most: int) -> list[Question]:
    """Return up to ``most`` questions of sentences, none of those in ``without``, spread over all texts by chance."""
    found = [(each, text) for text in dict.fromkeys(texts) for each in askable(text) if each not in without]
    found.sort(key=lambda pair: hashlib.sha256(repr((seed, pair)).encode()).digest())
    return [Question(_wording(sentence, f"{seed} asked"), passage=text) for sentence, text in found[:most]]


def _wordings(text: str, seed: int) -> Iterable[str]:
    for sentence in askable(text):
        yield from (_wording(sentence, f"{seed} {number}") for number in range(WORDINGS))


def _wording(sentence: str, chance: str) -> str:
    words = sentence.rstrip(".!?").split()
    drawn = random.Random(f"{chance} {sentence}")  # noqa: S311 - a wording is no secret
    places = drawn.sample(range(len(words)), max(FEWEST_WORDS, len(words) // 2))
    return " ".join(words[place] for place in sorted(places))
