"""Both halves of a model's folder with its noise between them, on one machine: for judging and for batches."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tasks.common.model_folder import DESCRIPTION, ONNX
from tasks.common.onnx_model import OnnxModel
from tasks.common.program import BadInput
from tasks.faces import dataset, preprocessing
from tasks.faces.configs import Configuration
from tasks.faces.dataset import Example
from tasks.faces.export import HEAD, PICTURES, configuration_of
from tasks.faces.noise import NOISE, Noise
from tasks.faces.preprocessing import INPUT, OUTPUT, normalise

BATCH = 32


@dataclass(frozen=True)
class Detector:
    """As it is deployed: ONNX on both sides."""

    chosen: Configuration
    held_out: tuple[int, ...]
    noise: Noise
    head: OnnxModel
    tail: OnnxModel

    @classmethod
    def of(cls, folder: Path, threads: int) -> Detector:
        """From a model's folder. Raises BadInput where it holds none, or one of another kind."""
        try:
            told = json.loads((folder / DESCRIPTION).read_text())
            chosen = configuration_of(told)
            held_out = tuple(int(fold) for fold in told["data"]["held_out"])
            prepared = told["preprocessing"]
        except (OSError, KeyError, TypeError, ValueError):
            raise BadInput(f"{folder} holds no model of these programs; name the folder that choosing left.") from None
        if prepared != preprocessing.description(chosen):
            raise BadInput(f"The model of {folder} was trained on pictures prepared in another way than here.")
        if not (folder / NOISE).is_file():
            raise BadInput(f"{folder} holds no {NOISE}: take the folder that choosing left.")
        noise = Noise.load((folder / NOISE).read_bytes(), str(folder / NOISE))
        head = OnnxModel.load(folder / HEAD, inputs=PICTURES, outputs=INPUT, threads=threads)
        tail = OnnxModel.load(folder / ONNX, inputs=INPUT, outputs=OUTPUT, threads=threads)
        return cls(chosen, held_out, noise, head, tail)

    def answers(self, examples: Sequence[Example], random: np.random.Generator | None) -> npt.NDArray[np.float32]:
        """[N, anchors, 5], with noise drawn from ``random``; None: without noise."""
        found = []
        for pixels in dataset.in_batches(examples, BATCH):
            prepared = pixels if random is None else self.noise.prepare(pixels)
            clean = self.head(normalise(prepared))
            found.append(self.tail(clean if random is None else self.noise.add(clean, random)))
        return np.concatenate(found)
