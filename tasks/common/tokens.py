"""Text as an encoder reads it: pieces of words with numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.common.program import BadInput

TOKENIZER = "tokenizer.json"
PADDING = 0
MOST_PIECES = 128
Integers = npt.NDArray[np.int64]


class Tokens:
    """The tokenizer of an encoder, from the content of its ``tokenizer.json``."""

    def __init__(self, content: bytes) -> None:
        from tokenizers import Tokenizer

        self.content = content
        self._tokenizer = Tokenizer.from_str(content.decode())
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MOST_PIECES)

    @classmethod
    def of(cls, folder: Path) -> Tokens:
        """Read the tokenizer of an encoder's folder. Raises BadInput where there is none."""
        try:
            return cls((folder / TOKENIZER).read_bytes())
        except FileNotFoundError:
            raise BadInput(f"{folder} has no {TOKENIZER}; name the folder of a pretrained encoder.") from None

    def of_texts(self, texts: Sequence[str]) -> Integers:
        """Return the pieces [N, longest] of texts; of a longer one than the encoder takes, those it takes."""
        return _table(self._tokenizer.encode_batch(list(texts)))

    def numbers(self, sentences: Sequence[Sequence[str]]) -> tuple[Integers, list[list[int]]]:
        """Return the pieces [N, longest] of sentences given as words, and for each its words' first pieces.

        A word beyond the longest sentence that the encoder takes has none, nor has one without any letter it knows.
        """
        encoded = self._tokenizer.encode_batch([list(words) for words in sentences], is_pretokenized=True)
        first: list[list[int]] = []
        for words, each in zip(sentences, encoded, strict=True):
            begun: dict[int, int] = {}
            for piece, word in enumerate(each.word_ids):
                if word is not None:
                    begun.setdefault(word, piece)
            first.append([begun.get(word, -1) for word in range(len(words))])
        return _table(encoded), first


def _table(encoded: Sequence[Any]) -> Integers:
    longest = max((len(each.ids) for each in encoded), default=1)
    numbers = np.full((len(encoded), longest), PADDING, np.int64)
    for row, each in zip(numbers, encoded, strict=True):
        row[: len(each.ids)] = each.ids
    return numbers
