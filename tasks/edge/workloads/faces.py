"""Detection: faces, by the whole network that `private_inference` trains, on pictures of folds that it held out.

``--model`` is the folder of a network (``tasks.faces.train``), or of a model of `private_inference`, whose network is
taken as it was before noise. Small or large is the network's own configuration: 64 x 64, grey, or 1024 x 1024, colour.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import astuple, fields
from typing import Any

import numpy as np
import torch

from tasks.common.data import open_source
from tasks.common.model_folder import DESCRIPTION
from tasks.common.program import BadInput
from tasks.common.torch_files import onnx_of
from tasks.edge.workloads import Array, Prepared, spread
from tasks.faces import dataset, fddb, judging
from tasks.faces.anchors import faces_of
from tasks.faces.dataset import Example
from tasks.faces.ellipses import Ellipse
from tasks.faces.export import NETWORK, PICTURES, configuration_of, read_network
from tasks.faces.model import ANSWERS
from tasks.faces.preprocessing import OUTPUT, normalise

METRIC = judging.AP
BOUND_MS = 50.0


def prepare(options: argparse.Namespace) -> Prepared:
    if not options.model:
        raise BadInput("The workload faces needs --model: the folder of a network that tasks.faces.train left.")
    name = NETWORK if (options.model / NETWORK).is_file() else DESCRIPTION
    network, chosen, told = read_network(options.model, name)
    faces = dataset.load(open_source(options.data), chosen)
    folds = [int(fold) for fold in told["data"]["held_out"]]
    held_out = _some(faces.of(folds), options.samples)
    training = _some([each for each in faces.examples if each.fold not in folds], options.calibration)
    picture = torch.zeros(2, chosen.colours, chosen.side, chosen.side)
    return Prepared(
        onnx=onnx_of(network, picture, PICTURES, OUTPUT),
        inputs={PICTURES: normalise(dataset.batch(held_out))},
        truth=truth(held_out),
        calibration={PICTURES: normalise(dataset.batch(training))},
        facts={"configuration": told["configuration"], "data_digest": faces.digest},
    )


def quality(outputs: Array, truth: Array, facts: Mapping[str, Any]) -> float:
    """Average precision by FDDB's discrete score, at the whole threshold."""
    chosen = configuration_of(facts)
    found = []
    for answer, rows in zip(outputs, truth, strict=True):
        boxes, chances = faces_of(chosen, answer.reshape(-1, ANSWERS), judging.HALVED)
        ellipses = [Ellipse(*map(float, row)) for row in rows[1:] if np.isfinite(row).all()]
        found.append(fddb.found(boxes * np.tile(rows[0, :2], 2).astype(np.float32), chances, ellipses))
    return judging.Curves.of(found).figures()[METRIC]


def _some(examples: Sequence[Example], wanted: int) -> list[Example]:
    return [examples[place] for place in spread(len(examples), wanted)]


def truth(examples: Sequence[Example]) -> Array:
    """Of each picture width and height, then its ellipses [N, 1 + most, 5]; nan where there are no more."""
    most = max(len(example.faces) for example in examples)
    rows = np.full((len(examples), 1 + most, len(fields(Ellipse))), np.nan)
    for row, example in zip(rows, examples, strict=True):
        row[0, :2] = example.width, example.height
        row[1 : 1 + len(example.faces)] = [astuple(face) for face in example.faces]
    return rows
