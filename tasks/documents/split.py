"""Cut a document into passages: whole paragraphs or sentences of one place, as long as the encoder reads at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from tasks.documents.convert import Document, Section
from tasks.documents.index import Passage

LONGEST = 800
"""Characters: about 160 words, which is near what the encoder was trained on."""
RULES = 1  # another number makes every document be cut and embedded again
_SENTENCES = re.compile(r"(?<=[.!?])\s+(?=[\"'(\[A-Z0-9])")


def passages(document: Document, file: str, digest: str, title: str) -> list[Passage]:
    """Return the passages of a document in their order."""
    found = [(section.place, text) for section in document.sections for text in _cut(section)]
    return [
        Passage(file, digest, document.kind, title, place, position, text)
        for position, (place, text) in enumerate(found)
    ]


def _cut(section: Section) -> Iterator[str]:
    """Paragraphs together as far as they fit; what does not fit by itself in sentences, such a sentence in words."""
    yield from _joined(_pieces(section.text))


def _pieces(text: str) -> Iterator[tuple[str, str]]:
    """Yield each piece with what joins it to the one before."""
    for paragraph in filter(None, (part.strip() for part in re.split(r"\n\s*\n", text))):
        if len(paragraph) <= LONGEST:
            yield "\n\n", paragraph
            continue
        for number, sentence in enumerate(_SENTENCES.split(paragraph)):
            joint = " " if number else "\n\n"
            if len(sentence) <= LONGEST:
                yield joint, sentence
            else:
                yield from ((" ", word) for word in _words(sentence))


def _words(sentence: str) -> Iterator[str]:
    for word in sentence.split():
        yield from (word[at : at + LONGEST] for at in range(0, len(word), LONGEST))


def _joined(pieces: Iterable[tuple[str, str]]) -> Iterator[str]:
    kept = ""
    for joint, piece in pieces:
        if kept and len(kept) + len(joint) + len(piece) > LONGEST:
            yield kept
            kept = piece
        else:
            kept = f"{kept}{joint}{piece}" if kept else piece
    if kept:
        yield kept
