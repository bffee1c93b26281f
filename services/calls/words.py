"""The words that tell one kind of sentence from all others: what people talk about when they are angry, or glad.

By the log-odds of a word in sentences of the kind against the others, in units of its own uncertainty (Monroe, Colaresi
and Quinn, 2008): a word that is rare, or is everywhere, tells nothing.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable

WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")
PRIOR = 0.5
TELLING = 1.96
"""Standard deviations from which on a word counts: 95 % of what tells nothing lies below."""
FEWEST = 3
"""Sentences that a word is in."""
MOST = 12
SHORTEST = 4
"""Letters; shorter words, in most languages, say how a sentence is built and not what it is about."""


def telling(sentences: Iterable[tuple[str, str]], kinds: Iterable[str]) -> dict[str, list[dict[str, object]]]:
    """Return for each of ``kinds`` its most telling words, with the number of its sentences that have them.

    :param sentences: kind and text of each; a word counts once in a sentence.
    """
    counts: dict[str, Counter[str]] = {}
    totals: Counter[str] = Counter()
    for kind, text in sentences:
        totals[kind] += 1
        said = {word.lower().replace("\u2019", "'") for word in WORD.findall(text) if len(word) >= SHORTEST}
        counts.setdefault(kind, Counter()).update(said)
    everywhere = sum(counts.values(), Counter())
    told = {}
    for kind in kinds:
        here, total = counts.get(kind, Counter()), totals[kind]
        rest = totals.total() - total
        scores = {
            word: _distance(number, total, everywhere[word] - number, rest)
            for word, number in here.items()
            if number >= FEWEST and rest
        }
        best = sorted((word for word, score in scores.items() if score >= TELLING), key=lambda one: (-scores[one], one))
        told[kind] = [{"word": word, "sentences": here[word]} for word in best[:MOST]]
    return told


def _distance(with_it: int, total: int, others_with_it: int, others: int) -> float:
    """Return how far apart the log-odds are, in standard deviations."""
    here = math.log((with_it + PRIOR) / (total - with_it + PRIOR))
    there = math.log((others_with_it + PRIOR) / (others - others_with_it + PRIOR))
    return (here - there) / math.sqrt(1 / (with_it + PRIOR) + 1 / (others_with_it + PRIOR))
