"""How a person's identifiers are recognised in texts: however they are written in upper or lower case, spaced or
grouped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tasks.common.program import BadInput

MAIL, NUMBER, NAME, ID = "e-mail address", "telephone or other number", "name", "id"
_SHORTEST = 4  # characters; anything shorter is found everywhere
_DIGITS = 6  # from so many digits on, spaces and dashes between them do not count
_GROUPED = r"[\s./()-]*"


@dataclass(frozen=True)
class Identifier:
    """One identifier; ``label`` names it without telling it: ``1 (e-mail address)``."""

    label: str
    pattern: re.Pattern[str]


def identifiers(given: Iterable[str]) -> list[Identifier]:
    """Raises BadInput for none, and for one that is too short to mean one person; the sentence does not repeat it."""
    cleaned = [" ".join(each.split()) for each in given if each.strip()]
    if not cleaned:
        raise BadInput("No identifier of a person was given; give a name, an address, a number or an id.")
    found = []
    for position, text in enumerate(cleaned, 1):
        if len(text) < _SHORTEST:
            raise BadInput(
                f"Identifier {position} has {len(text)} characters, which would be found everywhere; give more."
            )
        kind, pattern = _pattern(text)
        found.append(Identifier(f"{position} ({kind})", re.compile(pattern, re.IGNORECASE)))
    return found


def _pattern(text: str) -> tuple[str, str]:
    digits = re.sub(r"\D", "", text)
    if "@" in text:
        return MAIL, rf"(?<![\w.+-]){re.escape(text)}(?![\w-])"
    if len(digits) >= _DIGITS and not re.search(r"[^\W\d_]", text):
        plus = r"\+?" if text.startswith("+") else ""
        return NUMBER, rf"(?<!\d){plus}{_GROUPED.join(digits)}(?!\d)"
    words = text.replace(",", " ").split()
    if len(words) > 1 and not digits:
        orders = [words, [words[-1], *words[:-1]]]  # Jane Doe, and Doe, Jane
        written = "|".join(r"[\s,_.]+".join(map(re.escape, order)) for order in orders)
        return NAME, rf"(?<!\w)(?:{written})(?!\w)"
    return ID, rf"(?<!\w){re.escape(text)}(?!\w)"


def places(lines: Iterable[str], wanted: Sequence[Identifier], most: int) -> Iterator[tuple[str, str]]:
    """Yield (label, ``line N``) of each line that has an identifier, at most so many of each."""
    counts = dict.fromkeys((each.label for each in wanted), 0)
    for number, line in enumerate(lines, 1):
        for each in wanted:
            if counts[each.label] < most and each.pattern.search(line):
                counts[each.label] += 1
                yield each.label, f"line {number}"
