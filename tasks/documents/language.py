"""Whether a text is in the language that the encoder and the scan know: English, told by its small words."""

from __future__ import annotations

import functools
import importlib
import re

FEWEST = 40  # words of a text of which its language can be told
KNOWN = "English"
OTHERS = {
    "Danish": "da",
    "Dutch": "nl",
    "Finnish": "fi",
    "French": "fr",
    "German": "de",
    "Italian": "it",
    "Polish": "pl",
    "Portuguese": "pt",
    "Spanish": "es",
    "Swedish": "sv",
}
_WORD = re.compile(r"[^\W\d_]+")


def foreign(text: str) -> str:
    """Return the language of a text that is not English, or its script; "" for English and for too little text."""
    words = [word.lower() for word in _WORD.findall(text[:50_000])]
    if len(words) < FEWEST:
        return ""
    if sum(word.isascii() or _is_latin(word) for word in words) < len(words) / 2:
        return "a script other than Latin"
    shares = {name: sum(word in small for word in words) for name, small in _small_words().items()}
    best = max(shares, key=lambda name: shares[name])
    return "" if best == KNOWN or shares[best] < 1.3 * shares[KNOWN] else best


def _is_latin(word: str) -> bool:
    return all(ord(letter) < 0x250 for letter in word)


@functools.cache
def _small_words() -> dict[str, frozenset[str]]:
    known = {KNOWN: "en", **OTHERS}
    found = {name: importlib.import_module(f"spacy.lang.{code}.stop_words").STOP_WORDS for name, code in known.items()}
    return {name: frozenset(words) for name, words in found.items()}
