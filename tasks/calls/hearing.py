"""Labelled sentences as the recogniser hears them: cut out of the recordings, and what it makes of their sound."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from tasks.calls.dataset import Labelled, Sentence
from tasks.common.audio import RATE_HZ, Piece, Samples, decoded
from tasks.common.program import BadInput
from tasks.common.progress import Progress
from tasks.common.recogniser import Recogniser

MARGIN_S = 0.15
LONGEST_S = 29.0
"""Of what the recogniser takes at once."""


def spoken(labelled: Labelled, sentences: Iterable[Sentence]) -> list[Sentence]:
    """Return the sentences of calls that have a recording, those of one call beside each other."""
    kept = [sentence for sentence in sentences if labelled.calls[sentence.call].file]
    return sorted(kept, key=lambda sentence: (sentence.call, sentence.start, sentence.side))


def heard(labelled: Labelled, sentences: Sequence[Sentence], recogniser: Recogniser, what: str) -> list[str]:
    """Return the recognised text of each sentence. Raises BadInput for a label beyond the end of its recording."""
    texts: dict[Sentence, str] = {}
    by_call: dict[str, list[Sentence]] = defaultdict(list)
    for sentence in sentences:
        by_call[sentence.call].append(sentence)
    with Progress(len(sentences), "sentences", what) as progress:
        for call, wanted in by_call.items():
            recording = decoded(io.BytesIO(labelled.store.read(labelled.calls[call].file)))
            for sentence, samples in zip(wanted, cut(recording, wanted), strict=True):
                if not len(samples):
                    raise BadInput(
                        f"Call {call}: a sentence is labelled from {sentence.start:g} s of the {sentence.side} on, and "
                        f"the recording has {recording.seconds:.1f} s of {', '.join(recording.sides)}."
                    )
                texts[sentence] = recogniser.text(samples).text
                progress.advance()
    return [texts[sentence] for sentence in sentences]


def cut(pieces: Iterable[Piece], sentences: Sequence[Sentence]) -> list[Samples]:
    """Return the samples of each sentence with a margin; none where the recording does not reach. Held: only those."""
    parts: list[list[Samples]] = [[] for _ in sentences]
    edges = [
        (max(0.0, each.start - MARGIN_S), min(each.end + MARGIN_S, each.start + LONGEST_S), each.side)
        for each in sentences
    ]
    for piece in pieces:
        last = piece.start + len(piece.samples) / RATE_HZ
        for place, (begin, end, side) in enumerate(edges):
            if side == piece.side and begin < last and end > piece.start:
                first = max(0, round((begin - piece.start) * RATE_HZ))
                parts[place].append(piece.samples[first : round((end - piece.start) * RATE_HZ)])
    return [np.concatenate(each) if each else np.zeros(0, np.float32) for each in parts]
