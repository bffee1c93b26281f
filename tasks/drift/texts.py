"""What systems of texts share: what texts are like, by two plain figures and as the pretrained encoder reads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np
import torch

from tasks.common import encoder
from tasks.common.metrics import Floats
from tasks.common.progress import Progress
from tasks.common.tokens import Tokens

LIMIT = 600
BATCH = 32

T = TypeVar("T")


def columns(texts: Sequence[Sequence[str]]) -> dict[str, Floats]:
    """Return the columns [N] of texts, each by its words."""
    return {
        "words": np.array([len(words) for words in texts], np.float64),
        "letters of a word": np.array([np.mean([len(word) for word in words]) for words in texts]),
    }


def embedded(texts: Sequence[str], threads: int) -> Floats:
    """Return what the pretrained encoder makes of texts [N, width]: the mean over the pieces of each."""
    torch.set_num_threads(threads)
    folder = encoder.pretrained()
    network, _ = encoder.load(folder)
    tokens, found = Tokens.of(folder), []
    network.eval()
    with torch.inference_mode():
        for group in groups(texts, "Embedding texts"):
            states, mask = encoder.states(network, torch.from_numpy(tokens.of_texts(group)))
            found.append(encoder.pooled(states, mask).numpy())
    return np.concatenate(found)


def groups(items: Sequence[T], what: str) -> Iterator[Sequence[T]]:
    """Go through items, some tens at a time."""
    with Progress(len(items), "texts", what) as progress:
        for start in range(0, len(items), BATCH):
            group = items[start : start + BATCH]
            yield group
            progress.advance(len(group))
