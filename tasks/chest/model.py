"""The networks: normalised pictures [N, 1, side, side] in, one logit per finding [N, findings] out.

Both are the ResNet of Hugging Face's transformers with weights of its own beginning; no weights are fetched.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from tasks.chest.findings import FINDINGS
from tasks.common.program import BadInput

NETWORKS: dict[str, dict[str, Any]] = {
    "resnet-50": {},
    "small": {"embedding_size": 16, "hidden_sizes": [16, 32, 64, 128], "depths": [1, 1, 1, 1], "layer_type": "basic"},
}


class Findings(nn.Module):
    """A ResNet that answers with plain logits, as ONNX and Triton want them."""

    def __init__(self, network: str) -> None:
        from transformers import ResNetConfig, ResNetForImageClassification

        super().__init__()
        settings = {"num_channels": 1, "num_labels": len(FINDINGS), **NETWORKS[network]}
        config = ResNetConfig(**settings)
        self.resnet = ResNetForImageClassification(config)

    def forward(self, pictures: Tensor) -> Tensor:
        return self.resnet(pictures, return_dict=False)[0]


def build(network: str) -> nn.Module:
    """Return a new network with weights from torch's current random state."""
    if network not in NETWORKS:
        raise BadInput(f"There is no network {network!r}; choose from {', '.join(NETWORKS)}.")
    return Findings(network)
