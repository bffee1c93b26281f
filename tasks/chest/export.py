"""A trained network as files: ONNX for Triton, weights, who it was trained on, and a description."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from tasks.chest.preprocessing import INPUT, OUTPUT
from tasks.common.model_folder import ONNX, Tensor, write_model
from tasks.common.onnx_model import OnnxModel
from tasks.common.torch_files import onnx_of, weights_of

WEIGHTS, PATIENTS = "weights.pt", "patients.json"
LOGITS_AGREE = 1e-3


def export(network: nn.Module, folder: Path, description: dict[str, Any], trained_on: Iterable[str]) -> dict[str, str]:
    """Write all files, the description last. Returns the digests (sha256) by name.

    :param trained_on: patients; their digests are kept, so that nobody judges the model on one of them.
    """
    network, side = network.to("cpu").eval(), int(description["preprocessing"]["height"])
    files = {
        WEIGHTS: weights_of(network.state_dict()),
        ONNX: onnx_of(network, torch.zeros(2, 1, side, side), INPUT, OUTPUT),
    }
    check_same(network, files[ONNX], side)
    files[PATIENTS] = json.dumps(sorted(map(digest_of, trained_on))).encode()
    inputs = Tensor(INPUT, "float32", (-1, 1, side, side))
    outputs = Tensor(OUTPUT, "float32", (-1, len(description["findings"])))
    return write_model(folder, description, files, inputs, outputs)


def digest_of(patient: str) -> str:
    return hashlib.sha256(patient.encode()).hexdigest()[:16]


def check_same(network: nn.Module, onnx: bytes, side: int) -> None:
    """Raise RuntimeError where ONNX Runtime, which serves, answers otherwise than torch, which trained."""
    pixels = torch.rand(2, 1, side, side, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        trained = network(pixels).numpy()
    served = OnnxModel(onnx, ONNX, inputs=INPUT, outputs=OUTPUT, threads=1)(pixels.numpy())
    if not np.allclose(trained, served, atol=LOGITS_AGREE):
        raise RuntimeError(
            f"{ONNX} answers {np.abs(trained - served).max():.2g} otherwise than the network it was made from, and "
            f"{LOGITS_AGREE:g} is allowed: torch {torch.__version__} exports it wrongly."
        )
