"""The meaning of texts as vectors of length 1, by a pretrained encoder: near each other where they mean alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from tasks.common import encoder
from tasks.common.metrics import Floats
from tasks.common.tokens import Tokens

AT_ONCE = 32


class Embedding:
    """The encoder of ``folder``, or the one that the installed package carries. Raises BadInput where there is none."""

    def __init__(self, folder: Path | None = None) -> None:
        folder = folder or encoder.pretrained()
        self.digest = encoder.digest_of(folder)
        self._tokens = Tokens.of(folder)
        self._network, self.width = encoder.load(folder)
        self._network.eval()

    def of(self, texts: Sequence[str]) -> Floats:
        """Return the vectors [N, width] of texts, as float32; texts of one length are read together."""
        numbers = [self._tokens.of_texts([text])[0] for text in texts]
        order = sorted(range(len(texts)), key=lambda number: len(numbers[number]))
        vectors = np.zeros((len(texts), self.width), np.float32)
        for first in range(0, len(order), AT_ONCE):
            part = order[first : first + AT_ONCE]
            longest = max(len(numbers[number]) for number in part)
            table = np.stack([np.pad(numbers[number], (0, longest - len(numbers[number]))) for number in part])
            with torch.inference_mode():
                states, mask = encoder.states(self._network, torch.from_numpy(table))
                pooled = torch.nn.functional.normalize(encoder.pooled(states, mask), dim=1)
            vectors[part] = pooled.numpy()
        return vectors
