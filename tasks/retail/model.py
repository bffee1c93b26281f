"""The network: pieces of words [N, L] in, logits [N, L, slots + intents] out.

At each piece stand the logits of its slot and, the same at every piece, those of the question's intent.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from tasks.common import encoder as bert
from tasks.common.encoder import WEIGHTS, pretrained
from tasks.retail.configs import Configuration

__all__ = ["INPUT", "OUTPUT", "WEIGHTS", "Answers", "Joint", "build", "pretrained"]

INPUT, OUTPUT = "tokens", "logits"


class Joint(nn.Module):
    """An encoder with two answers: a slot for each piece, and one intent for all of them."""

    def __init__(self, encoder: nn.Module, width: int, slots: int, intents: int, configuration: Configuration) -> None:
        super().__init__()
        self.encoder = encoder
        self.answers = Answers(width, slots, intents, configuration)

    def forward(self, tokens: Tensor) -> Tensor:
        states, mask = self.states(tokens)
        return self.answers(states, mask)

    def states(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the encoder makes of each piece [N, L, width], and which pieces there are [N, L]."""
        return bert.states(self.encoder, tokens)


class Answers(nn.Module):
    """What is trained on top of the encoder."""

    def __init__(self, width: int, slots: int, intents: int, configuration: Configuration) -> None:
        super().__init__()
        self.slots, self.intents = (
            bert.answer(width, count, configuration.hidden, configuration.dropout) for count in (slots, intents)
        )

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        slots = self.slots(states)
        intents = self.intents(bert.pooled(states, mask)).unsqueeze(1).expand(-1, states.shape[1], -1)
        return torch.cat([slots, intents], 2)


def build(encoder: Path, slots: int, intents: int, configuration: Configuration) -> Joint:
    """Return a network on the pretrained encoder of a folder; what is on top begins from torch's random state.

    Raises BadInput where the folder holds no BERT.
    """
    network, width = bert.load(encoder)
    return Joint(network, width, slots, intents, configuration)
