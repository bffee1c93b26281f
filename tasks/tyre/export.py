"""A trained network as files: ONNX for Triton, TorchScript in a tar.gz for SageMaker, weights, and a description."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from tasks.common.model_folder import DESCRIPTION, ONNX, Tensor, write_model
from tasks.common.onnx_model import OnnxModel
from tasks.common.torch_files import onnx_of, weights_of
from tasks.tyre.preprocessing import INPUT, OUTPUT, SIDE

TORCHSCRIPT, WEIGHTS, ARCHIVE = "model.pt", "weights.pt", "model.tar.gz"
LOGITS_AGREE = 1e-3
_HERE = Path(__file__).parent
_SERVING_LIBRARIES = ("numpy", "opencv-python-headless", "pillow", "simplejpeg")  # the container has torch


def export(network: nn.Module, folder: Path, description: dict[str, Any]) -> dict[str, str]:
    """Write all files, the description last. Returns the digests (sha256) by name."""
    network = network.to("cpu").eval()
    example = torch.zeros(2, 3, SIDE, SIDE)
    files = {WEIGHTS: weights_of(network.state_dict()), ONNX: onnx_of(network, example, INPUT, OUTPUT)}
    check_same(network, files[ONNX])
    files[TORCHSCRIPT] = _torchscript(network, example)
    text = json.dumps(description, indent=2, sort_keys=True).encode()
    files[ARCHIVE] = _archive({TORCHSCRIPT: files[TORCHSCRIPT], **_serving_code(), DESCRIPTION: text})
    inputs = Tensor(INPUT, "float32", (-1, 3, SIDE, SIDE))
    outputs = Tensor(OUTPUT, "float32", (-1, len(description["classes"])))
    return write_model(folder, description, files, inputs, outputs)


def check_same(network: nn.Module, onnx: bytes) -> None:
    """Raise RuntimeError where ONNX Runtime, which serves, answers otherwise than torch, which trained."""
    pixels = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        trained = network(pixels).numpy()
    served = OnnxModel(onnx, ONNX, inputs=INPUT, outputs=OUTPUT, threads=1)(pixels.numpy())
    if not np.allclose(trained, served, atol=LOGITS_AGREE):
        difference = np.abs(trained - served).max()
        raise RuntimeError(
            f"{ONNX} answers {difference:.2g} otherwise than the network it was made from, and {LOGITS_AGREE:g} is "
            f"allowed: torch {torch.__version__} exports it wrongly."
        )


def _torchscript(network: nn.Module, example: torch.Tensor) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings():
        # Deprecated, yet what SageMaker's PyTorch containers load.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.trace(network, example, check_trace=False), file)
    return file.getvalue()


def _serving_code() -> dict[str, bytes]:
    """What SageMaker runs, and installs before it does: pictures are read there as they were in training."""
    pins = "".join(f"{name}=={version(name)}\n" for name in _SERVING_LIBRARIES)
    return {
        "code/inference.py": (_HERE / "sagemaker_inference.py").read_bytes(),
        "code/preprocessing.py": (_HERE / "preprocessing.py").read_bytes(),
        "code/requirements.txt": pins.encode(),
    }


def _archive(files: dict[str, bytes]) -> bytes:
    """Return a tar.gz with the same bytes for the same files."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as archive:
        for name, content in sorted(files.items()):
            facts = tarfile.TarInfo(name)
            facts.size, facts.mode = len(content), 0o644
            archive.addfile(facts, io.BytesIO(content))
    return packed.getvalue()
