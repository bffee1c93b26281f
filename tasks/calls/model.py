"""The network: pieces of words [N, L] in, a logit for each sentiment [N, 3] out."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from tasks.calls.configs import Configuration
from tasks.calls.sentiment import LABELS
from tasks.common import encoder as bert


class Sentiment(nn.Module):
    """An encoder, and on the mean of what it makes of the pieces, one answer."""

    def __init__(self, encoder: nn.Module, width: int, configuration: Configuration) -> None:
        super().__init__()
        self.encoder = encoder
        self.answer = bert.answer(width, len(LABELS), configuration.hidden, configuration.dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.answer(self.means(tokens))

    def means(self, tokens: Tensor) -> Tensor:
        """Return what the answer is given of each text [N, width]."""
        return bert.pooled(*bert.states(self.encoder, tokens))


def build(encoder: Path, configuration: Configuration) -> Sentiment:
    """Return a network on the pretrained encoder of a folder; what is on top begins from torch's random state.

    Raises BadInput where the folder holds no BERT.
    """
    return Sentiment(*bert.load(encoder), configuration)


def trained_part(network: Sentiment, configuration: Configuration) -> nn.Module:
    """What a training changes: of an encoder that stays as it is, the answer alone."""
    return network if configuration.tunes_encoder else network.answer
