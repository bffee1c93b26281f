"""Image classification: tyres, by the network that `tyre_quality` trains, on pictures that its training held out."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np

from tasks.common.data import Store, open_source
from tasks.common.judging import Model
from tasks.common.program import BadInput
from tasks.common.split import Split
from tasks.edge.workloads import Array, Prepared, spread
from tasks.tyre import dataset
from tasks.tyre.preprocessing import INPUT, NotAnImage, decode, normalise

METRIC = "accuracy"
BOUND_MS = 50.0
_BATCH = 16


def prepare(options: argparse.Namespace) -> Prepared:
    model = Model.parse(f"model={options.model}")
    if "held_out_share" not in model.data:
        raise BadInput(f"{options.model} does not say which pictures its training held out; train it again.")
    split = Split(float(model.data["held_out_share"]), str(model.data.get("group") or ""))
    images = dataset.load(open_source(options.data, dataset.CONNECTIONS), split=split)
    held_out = [images.held_out[place] for place in spread(len(images.held_out), options.samples)]
    training = [images.training[place] for place in spread(len(images.training), options.calibration)]
    return Prepared(
        onnx=model.onnx.read_bytes(),
        inputs={INPUT: _pixels(images.store, held_out)},
        truth=np.array([example.label for example in held_out]),
        calibration={INPUT: _pixels(images.store, training)},
        facts={"classes": list(images.classes), "data_digest": images.digest},
    )


def tensor(content: bytes, shape: Sequence[int]) -> tuple[str, Array]:
    """Return name and values [1, ...] of the network's input for one picture's file. Raises BadInput."""
    try:
        return INPUT, normalise(decode(content)[None])
    except NotAnImage as error:
        raise BadInput(f"The picture cannot be read: {error}.") from None


def quality(outputs: Array, truth: Array, facts: Any) -> float:
    """Share of pictures whose class is told."""
    return float((outputs.argmax(axis=1) == truth).mean())


def _pixels(store: Store, examples: Sequence[dataset.Example]) -> Array:
    return np.concatenate([pixels for pixels, _ in dataset.batches(store, examples, _BATCH)])
