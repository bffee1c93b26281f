"""A trained network as files: ONNX for the inference server, weights, and a description."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from tasks.common.model_folder import ONNX, Tensor, write_model
from tasks.common.onnx_model import OnnxModel
from tasks.lane.configs import SLOTS
from tasks.lane.model import Answering, LaneNetwork

INPUT, OUTPUT = "pictures", "lanes"
WEIGHTS = "weights.pt"
OPSET = 17
AGREE = 1e-3


def export(network: LaneNetwork, folder: Path, description: dict[str, Any]) -> dict[str, str]:
    """Write all files, the description last. Returns the digests (SHA-256) by name."""
    answering = Answering(network.to("cpu")).eval()
    width, height = description["preprocessing"]["size"]
    pictures = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(1))
    file = io.BytesIO()
    torch.save({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, file)
    files = {WEIGHTS: file.getvalue(), ONNX: _onnx(answering, pictures)}
    with torch.no_grad():
        answer = answering(pictures)
    check_same(answer.numpy(), files[ONNX], pictures.numpy())
    inputs = Tensor(INPUT, "float32", (-1, 3, height, width))
    return write_model(folder, description, files, inputs, Tensor(OUTPUT, "float32", (-1, SLOTS, answer.shape[2], 3)))


def check_same(trained: Any, onnx: bytes, pictures: Any) -> None:
    """Raise RuntimeError where ONNX Runtime, which serves, answers otherwise than torch, which trained."""
    served = OnnxModel(onnx, ONNX, inputs=INPUT, outputs=OUTPUT, threads=1)(pictures)
    # Where a lane is is told apart from how sure it is: on a map of noise the surest place may be any.
    difference = float(np.abs(trained[..., 1:] - served[..., 1:]).max())
    if difference > AGREE:
        raise RuntimeError(
            f"{ONNX} answers {difference:.2g} otherwise than the network it was made from, and {AGREE:g} is allowed: "
            f"torch {torch.__version__} exports it wrongly."
        )


def _onnx(answering: Answering, pictures: torch.Tensor) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings():
        # The newer exporter needs one more package, and writes the same graph.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            answering,
            (pictures,),
            cast(Any, file),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: {0: "batch"}, OUTPUT: {0: "batch"}},
            opset_version=OPSET,
            dynamo=False,
        )
    return file.getvalue()
