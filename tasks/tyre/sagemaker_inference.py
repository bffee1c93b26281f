"""What SageMaker's PyTorch container runs, from ``code/inference.py`` of the model archive.

It takes an image file as it is (``image/png``, ``image/jpeg``), or normalised values as JSON or as an ``.npy`` array
[N, 3, height, width], and answers with each class's probability as JSON. Images become values by training's own
``preprocessing``, which lies beside it in the archive, as does a list of the libraries that it needs.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import preprocessing  # type: ignore[import-not-found]  # beside this file in the archive: training's own
import torch


def model_fn(model_dir: str) -> dict[str, Any]:
    folder = Path(model_dir)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = torch.jit.load(str(folder / "model.pt"), map_location=device).eval()
    return {"network": network, "device": device, **json.loads((folder / "model.json").read_text())}


def input_fn(body: bytes, content_type: str) -> Any:
    if content_type.startswith("image/"):
        return preprocessing.normalise(preprocessing.decode(body)[None])
    if content_type == "application/json":
        return np.asarray(json.loads(body), np.float32)
    if content_type == "application/x-npy":
        return np.load(io.BytesIO(body), allow_pickle=False).astype(np.float32)
    raise ValueError(f"content type {content_type} is not known; send image/*, application/json or application/x-npy")


def predict_fn(data: Any, model: dict[str, Any]) -> list[dict[str, float]]:
    with torch.no_grad():
        logits = model["network"](torch.from_numpy(np.ascontiguousarray(data)).to(model["device"]))
    return [dict(zip(model["classes"], row, strict=True)) for row in logits.softmax(1).tolist()]


def output_fn(prediction: list[dict[str, float]], accept: str) -> tuple[str, str]:
    return json.dumps(prediction), "application/json"
