"""Two wordings of the same sentence compared: word error rate, and which words a recogniser does not know."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from tasks.calls.dataset import words
from tasks.common.recogniser import MOST_HINTS

SEEN = 2
"""Times that a word has to be missed before it is a hint: once may be noise."""


@functools.cache
def _normaliser() -> Callable[[str], str]:
    # Whisper's own: numbers in words and in digits, "I'll" and "I will" are the same.
    from transformers.models.whisper.english_normalizer import EnglishTextNormalizer

    return EnglishTextNormalizer({})


def normalised(text: str) -> list[str]:
    """The words of a text, however it is written."""
    return _normaliser()(text).split()


def errors(true: Sequence[str], found: Sequence[str]) -> int:
    """Return the fewest words to replace, add or leave out to make one of the other."""
    row = list(range(len(found) + 1))
    for number, word in enumerate(true, 1):
        before, row[0] = row[0], number
        for place, other in enumerate(found, 1):
            cost = min(row[place] + 1, row[place - 1] + 1, before + (word != other))
            before, row[place] = row[place], cost
    return row[-1]


def word_errors(true: str, found: str) -> tuple[int, int]:
    """Return the errors in a recognised text, and the words that were said."""
    said = normalised(true)
    return errors(said, normalised(found)), len(said)


def missed(pairs: Iterable[tuple[str, str]], most: int = MOST_HINTS) -> tuple[str, ...]:
    """Return words, as they are written, that the recogniser misses more often than it hears; the most missed first.

    :param pairs: what was said, and what was recognised.
    """
    said, lost = Counter[str](), Counter[str]()
    written: dict[str, str] = {}
    for true, found in pairs:
        heard = set(normalised(found))
        known = set(normalised(true))
        for word in true.split():
            key = " ".join(words(word))
            # What the normaliser writes otherwise, such as a number, is compared by nothing here.
            if not key or key not in known:
                continue
            written.setdefault(key, word.strip(".,;:!?\"'()"))
            said[key] += 1
            lost[key] += key not in heard
    found_missing = [key for key, count in lost.items() if count >= SEEN and count > said[key] / 2]
    found_missing.sort(key=lambda key: (-lost[key], key))
    return tuple(written[key] for key in found_missing[:most])
