"""A trained detector with its noise as files: what the server loads, and what only clients have.

``model.onnx`` is the tail, and the only file that goes to the server. ``head.onnx`` and ``noise.npz`` stay with the
clients; ``weights.pt`` is the network as it was before it was adapted to this noise, for fitting another one.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from tasks.common.model_folder import ONNX, Tensor, write_model
from tasks.common.onnx_model import OnnxModel
from tasks.common.program import BadInput
from tasks.common.result import write_whole
from tasks.common.torch_files import onnx_of, weights_of
from tasks.faces.anchors import anchors
from tasks.faces.configs import Configuration
from tasks.faces.model import ANSWERS, FaceBoxes
from tasks.faces.noise import NOISE, Noise
from tasks.faces.preprocessing import INPUT, OUTPUT

WEIGHTS, HEAD, NETWORK = "weights.pt", "head.onnx", "network.json"
PICTURES = "pictures"  # what the head takes
AGREE = 1e-3


def write_network(network: FaceBoxes, folder: Path, description: Mapping[str, Any]) -> None:
    """Keep a trained network for the rest of its run, the description last."""
    file = io.BytesIO()
    torch.save(network.to("cpu").state_dict(), file)
    write_whole(folder / WEIGHTS, file.getvalue())
    write_whole(folder / NETWORK, json.dumps(description, sort_keys=True).encode())


def read_network(folder: Path, name: str = NETWORK) -> tuple[FaceBoxes, Configuration, dict[str, Any]]:
    """The network of a run's folder, or of a model's with ``name`` its description. Raises BadInput."""
    try:
        told = json.loads((folder / name).read_text())
        chosen = configuration_of(told)
        network = FaceBoxes(chosen)
        network.load_state_dict(torch.load(folder / WEIGHTS, weights_only=True))
    except FileNotFoundError as error:
        raise BadInput(f"{error.filename} does not exist; train a network first, or name one that was.") from None
    except (ValueError, KeyError, TypeError, RuntimeError) as error:
        raise BadInput(f"{folder} holds no network of these programs ({error}); train it again.") from None
    return network.eval(), chosen, told


def configuration_of(description: Mapping[str, Any]) -> Configuration:
    """Return the configuration that a description of JSON has. Raises KeyError or TypeError where it has none."""
    settings = {key: value for key, value in description["configuration"].items() if key != "name"}
    pairs = {key: tuple(settings[key]) for key in ("strides", "head")}
    return Configuration(**{**settings, **pairs, "anchors": tuple(tuple(sides) for sides in settings["anchors"])})


def export(
    network: FaceBoxes,
    noise: Noise,
    chosen: Configuration,
    folder: Path,
    description: Mapping[str, Any],
    *,
    trained: FaceBoxes,
) -> dict[str, str]:
    """Write all files, the description last. Returns the digests (sha256) by name.

    :param trained: the network before it was adapted to the noise.
    """
    network = network.to("cpu").eval()
    picture = torch.zeros(2, chosen.colours, chosen.side, chosen.side)
    activation = torch.zeros(2, *chosen.activation)
    files = {
        ONNX: onnx_of(network.tail, activation, INPUT, OUTPUT),
        HEAD: onnx_of(network.head, picture, PICTURES, INPUT),
        NOISE: noise.save(),
        WEIGHTS: weights_of(trained.state_dict()),
    }
    _check_same(network.tail, files[ONNX], activation, INPUT, OUTPUT)
    _check_same(network.head, files[HEAD], picture, PICTURES, INPUT)
    inputs = Tensor(INPUT, "float32", (-1, *chosen.activation))
    outputs = Tensor(OUTPUT, "float32", (-1, len(anchors(chosen)), ANSWERS))
    return write_model(folder, description, files, inputs, outputs)


def _check_same(part: nn.Module, onnx: bytes, example: torch.Tensor, inputs: str, outputs: str) -> None:
    """Raise RuntimeError where ONNX Runtime answers otherwise than torch."""
    values = torch.rand(example.shape, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        trained = part(values).numpy()
    served = OnnxModel(onnx, outputs, inputs=inputs, outputs=outputs, threads=1)(values.numpy())
    if not np.allclose(trained, served, atol=AGREE, rtol=AGREE):
        raise RuntimeError(
            f"The exported half that gives {outputs} answers up to {np.abs(trained - served).max():.2g} otherwise than "
            f"the network it was made from: torch {torch.__version__} exports it wrongly."
        )
