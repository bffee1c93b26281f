"""Make labelled questions in the published form, as annotated days of conversations would hold them.

    python -m tasks.retail.generate --output /tmp/questions --count 1500
    python -m tasks.retail.generate --output s3://lake/questions --revision 2     # the next day: more of them

The same seed and count give the same bytes; a later revision keeps the questions that are there and adds a tenth, some
of them with words that no earlier day had. Whoever asks for something of a place without naming one is asked for it and
answers in the next question, of the same conversation.
"""

from __future__ import annotations

import argparse
import random
import re
from collections.abc import Iterator, Sequence
from typing import Any

from tasks.common import program
from tasks.common.data import Store, open_target
from tasks.common.program import BadInput
from tasks.retail.dataset import Question, written, written_labels
from tasks.retail.labels import BEGIN, INSIDE, INTENTS, OUTSIDE, SLOTS
from tasks.retail.phrases import AFTER, BEFORE, PHRASES, VALUES

COUNT = 1500
ADDED = 0.1  # of the first day's questions, by each later one
FIRST_DAY = 0.7  # share of each list of words and phrases that the first day knows
TYPING_ERRORS = 0.04  # share of the questions with two letters of a word in the wrong order
WORDS_OF_A_DAY = 0.1
PART = re.compile(r"\{([\w.]+)\}|\[([^:\]]+):([\w.]+)\]|(\S+)")
OF_A_PLACE = frozenset(INTENTS) - {"price_check", "unknown", "show_map"}
REPLIES = tuple(phrase for phrase in PHRASES["unknown"] if "{location}" in phrase)
NUMBER = {label: number for number, label in enumerate(SLOTS)}


def main() -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", required=True, help="folder or s3://bucket/prefix")
    parser.add_argument("--count", type=int, default=COUNT, help="questions of revision 1")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--revision", type=int, default=1, help="which day")
    options = parser.parse_args()
    if min(options.count, options.revision) < 1:
        raise BadInput("--count and --revision must be at least 1.")
    found = list(plan(options.revision, options.count, options.seed))
    bring(open_target(options.output), found)
    return {"questions": len(found), "dialogs": len({dialog for _, dialog in found}), "output": options.output}


def bring(store: Store, said: Sequence[tuple[Question, str]]) -> None:
    """Write the files of what was ``said``, the labels first."""
    questions, dialogs = [question for question, _ in said], [dialog for _, dialog in said]
    for key, content in (written_labels(INTENTS, SLOTS) | written(questions, dialogs=dialogs)).items():
        store.write(key, content)


def plan(revision: int, count: int = COUNT, seed: int = 1) -> Iterator[tuple[Question, str]]:
    """Go through the questions of all days up to ``revision``, each once, with the conversation each is of."""
    for number, questions in enumerate(_conversations(revision, count, seed), 1):
        for question in questions:
            yield question, f"made-{number}"


def conversation(chance: random.Random, known: float = 1.0) -> list[Question]:
    """Return what somebody says in a conversation: a question and, where it needs a place and names none, a place."""
    question = _question(chance, known)
    if INTENTS[question.intent] in OF_A_PLACE and NUMBER["B-location"] not in question.slots:
        return [question, _said(chance.choice(REPLIES), "unknown", chance, known)]
    return [question]


def _conversations(revision: int, count: int, seed: int) -> Iterator[list[Question]]:
    seen: set[str] = set()
    for day in range(1, revision + 1):
        chance = random.Random(f"{seed}-{day}")  # noqa: S311 - questions are no secrets
        wanted = count if day == 1 else max(1, round(count * ADDED))
        known = min(1.0, FIRST_DAY + WORDS_OF_A_DAY * (day - 1))
        while wanted:
            questions = conversation(chance, known)[:wanted]
            # Few phrases with few words in them run out; a repeated question is then let pass.
            if questions[0].digest in seen and chance.random() > 0.05:
                continue
            seen.add(questions[0].digest)
            wanted -= len(questions)
            yield questions


def labelled(phrase: str, chance: random.Random, known: float = 1.0) -> tuple[list[str], list[str]]:
    """Return the words of a phrase with its places filled, and each word's label."""
    words: list[str] = []
    labels: list[str] = []
    for place, marked, slot, plain in PART.findall(phrase):
        name = place or slot
        text = chance.choice(_first(VALUES[place], known)) if place else marked or plain
        for number, word in enumerate(text.split()):
            words.append(word)
            labels.append(OUTSIDE if not name else (INSIDE if number else BEGIN) + name)
    return words, labels


def _question(chance: random.Random, known: float) -> Question:
    intent = chance.choice(INTENTS)
    return _said(chance.choice(_first(PHRASES[intent], known)), intent, chance, known)


def _said(phrase: str, intent: str, chance: random.Random, known: float) -> Question:
    words, labels = labelled(phrase, chance, known)
    before, after = (chance.choice(extra).split() for extra in (BEFORE, AFTER))
    words, labels = [*before, *words, *after], [OUTSIDE] * len(before) + labels + [OUTSIDE] * len(after)
    if chance.random() < TYPING_ERRORS:
        words = _mistyped(words, chance)
    slots = tuple(NUMBER[label] for label in labels)
    return Question(tuple(word.lower() for word in words), INTENTS.index(intent), slots)


def _mistyped(words: list[str], chance: random.Random) -> list[str]:
    long = [place for place, word in enumerate(words) if len(word) > 4]
    if not long:
        return words
    place = chance.choice(long)
    at = chance.randrange(1, len(words[place]) - 2)
    word = words[place]
    return [*words[:place], word[:at] + word[at + 1] + word[at] + word[at + 2 :], *words[place + 1 :]]


def _first(values: Sequence[str], share: float) -> Sequence[str]:
    return values[: max(1, round(len(values) * share))]


if __name__ == "__main__":
    program.run(main)
