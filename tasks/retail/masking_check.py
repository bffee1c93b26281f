"""Measure what masking finds, on sentences made for that, whose personal parts are known.

    python -m tasks.retail.masking_check
    python -m tasks.retail.masking_check --count 2000 --show 20      # and sentences that went wrong

The sentences are those of ``phrases`` with things that people say of themselves before, behind or within, half of them
in small letters as a recogniser of speech writes them. Some introduce a person in a way that the masking does not know:
what it misses is counted as well. Recall is the share of personal things whose every word is masked, precision the
share of masked words that are personal; ``kept`` is the share of the words of slots that stay.
"""

from __future__ import annotations

import argparse
import random
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from tasks.common import program
from tasks.common.program import BadInput
from tasks.common.progress import say
from tasks.retail.generate import labelled
from tasks.retail.labels import INTENTS, OUTSIDE
from tasks.retail.masking import KINDS, MAIL, NAME, NUMBER, PLACE, find
from tasks.retail.phrases import PHRASES

COUNT = 1000
FIRST = (
    "Anna", "Peter", "Maria", "Giovanni", "Priya", "Mohammed", "Wei", "Olga", "John", "Chloe", "Hans", "Fatima",
    "Diego", "Yuki", "Emma", "Kwame",
)  # fmt: skip
LAST = (
    "Smith", "Müller", "Garcia", "Rossi", "Patel", "Khan", "Zhang", "Ivanova", "O'Neill", "Dubois", "Schmidt",
    "Hassan", "Lopez", "Tanaka", "Osei",
)  # fmt: skip
TOWNS = (
    "Boston", "Salt Lake City", "San Jose", "Paris", "Little Rock", "Springfield", "Bad Homburg", "Oxford",
)  # fmt: skip
WAYS = (
    "Main Street", "Oak Avenue", "Baker Street", "Sunset Boulevard", "Mill Lane", "Fifth Avenue",
    "Old Church Road",
)  # fmt: skip
SAID = {
    NAME: (
        "my name is {name}", "i am {name}", "this is {name} speaking", "call me {name}", "i'm {name}",
        "my wife {name} asks", "mister {last} sent me", "it's for mrs {last}", "you can reserve it for {name}",
        "{name} here", "my name's {name}",
    ),
    PLACE: (
        "i live in {town}", "i live at {street}", "my address is {street} in {town}", "deliver it to {street}",
        "i am from {town}", "my house is on {way}", "ship it to {street}, {town} {code}", "send it to {street}",
        "my zip code is {code}", "our home is in {town}", "i am staying at {street}",
    ),
    NUMBER: (
        "my number is {phone}", "call me at {phone}", "{phone}", "my card number is {card}", "charge {card}",
        "my customer number is {short}", "my number is {spoken}", "my pin is {pin}", "the code is {pin}",
    ),
    MAIL: ("my mail is {mail}", "write to {mail}", "send it to {spoken_mail}"),
}  # fmt: skip
PART = re.compile(r"\{(\w+)\}")
NUMERALS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
)  # fmt: skip


def main() -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=COUNT, help="sentences")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=0, help="sentences that went wrong, in the log")
    options = parser.parse_args()
    if options.count < 1:
        raise BadInput(f"--count is {options.count}; it must be at least 1.")
    return measure(options.count, options.seed, options.show)


def measure(count: int, seed: int = 1, show: int = 0) -> dict[str, Any]:
    """Return recall by kind and in all, precision, and the share of words of slots that stay."""
    chance = random.Random(seed)  # noqa: S311 - sentences are no secrets
    there: Counter[str] = Counter()
    got: Counter[str] = Counter()
    masked_words = right_words = slot_words = kept_words = 0
    for _ in range(count):
        words, kinds, slots = sentence(chance)
        masked = [False] * len(words)
        for each in find(words):
            masked[each.begin : each.end] = [True] * (each.end - each.begin)
        for kind, begin, end in _spans(kinds):
            there[kind] += 1
            got[kind] += all(masked[begin:end])
        masked_words += sum(masked)
        right_words += sum(is_masked and bool(kind) for is_masked, kind in zip(masked, kinds, strict=True))
        slot_words += sum(slots)
        kept_words += sum(is_slot and not is_masked for is_slot, is_masked in zip(slots, masked, strict=True))
        if show and any(is_masked != bool(kind) for is_masked, kind in zip(masked, kinds, strict=True)):
            show -= 1
            say(" ".join(f"[{word}]" if is_masked else word for word, is_masked in zip(words, masked, strict=True)))
    recall = {kind: round(got[kind] / there[kind], 4) for kind in KINDS if there[kind]}
    return {
        "sentences": count,
        "personal": there.total(),
        "recall": {**recall, "all": round(got.total() / max(1, there.total()), 4)},
        "precision": round(right_words / max(1, masked_words), 4),
        "kept": round(kept_words / max(1, slot_words), 4),
    }


def sentence(chance: random.Random) -> tuple[list[str], list[str], list[bool]]:
    """Return words, what each is of a person ("" for nothing), and whether it is a word of a slot."""
    wish, labels = labelled(chance.choice(PHRASES[chance.choice(INTENTS)]), chance)
    parts = [(wish, [""] * len(wish), [label != OUTSIDE for label in labels])]
    if chance.random() < 0.6:
        words, kinds = personal(chance)
        joined = chance.choice(("", "and")).split()
        whole = (words, kinds, [False] * len(words))
        extra = (joined, [""] * len(joined), [False] * len(joined))
        parts = [whole, extra, parts[0]] if chance.random() < 0.5 else [parts[0], extra, whole]
    words = [word for part in parts for word in part[0]]
    if chance.random() < 0.5:
        words = [word.lower() for word in words]
    return words, [kind for part in parts for kind in part[1]], [slot for part in parts for slot in part[2]]


def personal(chance: random.Random) -> tuple[list[str], list[str]]:
    """Return what somebody says of themselves, and what each word is of a person."""
    kind = chance.choice(KINDS)
    words: list[str] = []
    kinds: list[str] = []
    for place, text in enumerate(PART.split(chance.choice(SAID[kind]))):
        told = _value(text, chance).split() if place % 2 else text.split()
        if place % 2 == 0 and told[:1] == [","]:
            words[-1] += ","
            told = told[1:]
        words += told
        kinds += [kind if place % 2 else ""] * len(told)
    return words, kinds


def _value(name: str, chance: random.Random) -> str:
    def digits(count: int) -> str:
        return "".join(chance.choice("0123456789") for _ in range(count))

    first, last = chance.choice(FIRST), chance.choice(LAST)
    area = digits(3)
    values = {
        "name": chance.choice((first, f"{first} {last}")),
        "last": last,
        "town": chance.choice(TOWNS),
        "way": chance.choice(WAYS),
        "street": f"{chance.randint(1, 999)} {chance.choice(WAYS)}",
        "code": digits(5),
        "phone": chance.choice(
            (f"({area}) 555-0{digits(3)}", f"+1 {area} 555 0{digits(3)}", f"{area}-555-0{digits(3)}")
        ),
        "card": " ".join(digits(4) for _ in range(4)),
        "short": digits(5),
        "pin": digits(4),
        "spoken": " ".join(NUMERALS[int(digit)] for digit in digits(7)),
        "mail": f"{first}.{last}@example.org".lower().replace("'", ""),
        "spoken_mail": f"{first} dot {last} at example dot com".lower().replace("'", ""),
    }
    return values[name]


def _spans(kinds: Sequence[str]) -> list[tuple[str, int, int]]:
    """Personal things as (kind, first word, word after the last); one may be in two parts."""
    found: list[tuple[str, int, int]] = []
    for place, kind in enumerate(kinds):
        if kind and found and found[-1][0] == kind and found[-1][2] == place:
            found[-1] = (kind, found[-1][1], place + 1)
        elif kind:
            found.append((kind, place, place + 1))
    return found


if __name__ == "__main__":
    program.run(main)
