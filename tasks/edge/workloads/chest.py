"""Image classification with several labels: chest X-rays, by the network that `chest_xray` trains."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np

from tasks.chest import dataset, scoring
from tasks.chest.preprocessing import INPUT, IsDicom, NotAPicture, decode, normalise
from tasks.common.data import open_source
from tasks.common.judging import Model
from tasks.common.program import BadInput
from tasks.edge.workloads import Array, Prepared, spread

METRIC = scoring.MEAN
BOUND_MS = 50.0
_BATCH = 16


def prepare(options: argparse.Namespace) -> Prepared:
    model = Model.parse(f"model={options.model}")
    side = int(model.description["preprocessing"]["height"])
    xrays = dataset.load(open_source(options.data, dataset.CONNECTIONS), dataset.Asked(side))
    held_out = [xrays.held_out[place] for place in spread(len(xrays.held_out), options.samples)]
    training = [xrays.training[place] for place in spread(len(xrays.training), options.calibration)]
    return Prepared(
        onnx=model.onnx.read_bytes(),
        inputs={INPUT: _pixels(xrays, held_out)},
        truth=dataset.truth(held_out),
        calibration={INPUT: _pixels(xrays, training)},
        facts={"data_digest": xrays.digest},
    )


def tensor(content: bytes, shape: Sequence[int]) -> tuple[str, Array]:
    """Return name and values [1, ...] of the network's input for one X-ray's file. Raises BadInput."""
    try:
        return INPUT, normalise(decode(content, int(shape[-1])).pixels[None])
    except IsDicom:
        raise BadInput("The picture is DICOM; send the PNG that is made of it.") from None
    except NotAPicture as error:
        raise BadInput(f"The picture cannot be read: {error}.") from None


def quality(outputs: Array, truth: Array, facts: Any) -> float:
    """Mean area under the ROC curve of the findings that these pictures show."""
    return scoring.mean_auroc(outputs.astype(np.float64), truth)


def _pixels(xrays: dataset.XRays, examples: Sequence[dataset.Example]) -> Array:
    return np.concatenate([pixels for pixels, _ in dataset.batches(xrays, examples, _BATCH)])
