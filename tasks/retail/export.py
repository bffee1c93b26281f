"""A trained network as files: ONNX for Triton, tokenizer, weights, what it was trained on, and a description."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from tasks.common.model_folder import ONNX, Tensor, write_model
from tasks.common.onnx_model import OnnxModel
from tasks.common.tokens import TOKENIZER, Tokens
from tasks.common.torch_files import ANY_NUMBER, onnx_of, weights_of
from tasks.retail.model import INPUT, OUTPUT, Joint

WEIGHTS, QUESTIONS = "weights.pt", "questions.json"
LOGITS_AGREE = 1e-3


def graph_of(network: Joint, tokens: Tokens) -> bytes:
    """Return the network as ONNX, which answers as it does."""
    network = network.to("cpu").eval()
    example, _ = tokens.numbers([("where", "can", "i", "get", "the", "best", "pasta"), ("hello",)])
    onnx = _onnx(network, torch.from_numpy(example))
    check_same(network, onnx, tokens)
    return onnx


def export(
    network: Joint, onnx: bytes, tokens: Tokens, folder: Path, description: dict[str, Any], trained_on: Iterable[str]
) -> dict[str, str]:
    """Write all files, the description last. Returns the digests (sha256) by name.

    :param onnx: what is served of the network.
    :param trained_on: digests of questions, so that nobody judges the model on one of them.
    """
    # What was trained. Of an encoder that stays as it is, its own weights are in the ONNX file alone.
    trained = network if description["configuration"]["tunes_encoder"] else network.answers
    files = {WEIGHTS: weights_of(trained.state_dict()), ONNX: onnx}
    files[TOKENIZER] = tokens.content
    files[QUESTIONS] = json.dumps(sorted(digest[:16] for digest in set(trained_on))).encode()
    count = len(description["slots"]) + len(description["intents"])
    return write_model(
        folder, description, files, Tensor(INPUT, "int64", (-1, -1)), Tensor(OUTPUT, "float32", (-1, -1, count))
    )


def check_same(network: nn.Module, onnx: bytes, tokens: Tokens) -> None:
    """Raise RuntimeError where ONNX Runtime, which serves, answers otherwise than torch, which trained."""
    sentence, _ = tokens.numbers([("is", "it", "raining", "in", "los", "angeles"), ("how", "much", "is", "it")])
    with torch.no_grad():
        trained = network(torch.from_numpy(sentence)).numpy()
    served = OnnxModel(onnx, ONNX, inputs=INPUT, outputs=OUTPUT, threads=1)(sentence)
    if not np.allclose(trained, served, atol=LOGITS_AGREE):
        raise RuntimeError(
            f"{ONNX} answers {np.abs(trained - served).max():.2g} otherwise than the network it was made from, and "
            f"{LOGITS_AGREE:g} is allowed: torch {torch.__version__} exports it wrongly."
        )


def _onnx(network: nn.Module, example: torch.Tensor) -> bytes:
    """Any number of questions of any length in."""
    with warnings.catch_warnings():
        # Of an index that is negative in nobody's sentence; ``check_same`` looks at what comes out.
        warnings.filterwarnings("ignore", "Exporting aten::index", UserWarning)
        return onnx_of(network, example, INPUT, OUTPUT, {**ANY_NUMBER, 1: "length"})
