"""The network, its training, and its export to ONNX."""

from __future__ import annotations

import io
import warnings
from typing import Any, cast

import torch
from torch import nn

from tasks.newsystem.configs import CLASSES, FEATURES, INPUT, LEARNING_RATE, OUTPUT
from tasks.newsystem.data import Rows

OPSET = 17  # old enough for the ONNX Runtime of every current Triton


class Network(nn.Module):
    """Logistic regression. Rows are brought to mean 0 and variance 1 inside, so that clients send what they measure."""

    mean: torch.Tensor
    spread: torch.Tensor

    def __init__(self, features: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", features.mean(dim=0))
        self.register_buffer("spread", features.std(dim=0).clamp_min(1e-6))
        self.linear = nn.Linear(len(FEATURES), len(CLASSES))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Logits [N, 2] for rows [N, number of features]."""
        return self.linear((rows - self.mean) / self.spread)


def fit(rows: Rows, steps: int, seed: int) -> Network:
    """The same rows, steps and seed give the same weights."""
    torch.manual_seed(seed)
    features, labels = torch.from_numpy(rows.features), torch.from_numpy(rows.labels)
    network = Network(features)
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(features), labels).backward()
        optimizer.step()
    return network.eval()


def to_onnx(network: Network) -> bytes:
    file = io.BytesIO()
    any_number = {INPUT: {0: "batch"}, OUTPUT: {0: "batch"}}
    with warnings.catch_warnings():
        # The newer exporter needs one more package, and writes the same graph for a network as plain as this.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            network,
            (torch.zeros(2, len(FEATURES)),),
            cast(Any, file),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes=any_number,
            opset_version=OPSET,
            dynamo=False,
        )
    return file.getvalue()
