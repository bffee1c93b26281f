"""The networks: normalised images [N, 3, 224, 224] in, one logit per class [N, 2] out."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from tasks.common.program import BadInput
from tasks.tyre.preprocessing import SIDE

CLASSES = 2


class Walkthrough(nn.Sequential):
    """The published design: three 3x3 convolutions without padding, flattened into one layer of 6 million weights."""

    def __init__(self) -> None:
        side = SIDE - 6  # each convolution takes one pixel from every edge
        super().__init__(
            nn.Conv2d(3, 32, 3),
            nn.ReLU(),
            nn.Conv2d(32, 32, 3),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(64 * side * side, CLASSES),
        )


class Compact(nn.Module):
    """Grey, quickly smaller, normalised, and pooled over all places: a crack counts the same wherever it is.

    Rubber has no colour that tells a defect, so one channel goes in. The strongest and the mean answer of every filter
    go to the last layer: one crack is a strong answer at one place, wear a weak one everywhere.
    """

    def __init__(self, widths: tuple[int, ...] = (8, 24, 48, 96)) -> None:
        super().__init__()
        first, *others = widths
        blocks: list[nn.Module] = [_block(1, first, kernel=5, stride=2)]
        for before, after in zip(widths, others, strict=False):
            blocks += [nn.MaxPool2d(2), _block(before, after)]
        self.features = nn.Sequential(*blocks)
        self.classify = nn.Linear(2 * widths[-1], CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        found = self.features(images.mean(dim=1, keepdim=True))
        return self.classify(torch.cat([found.amax(dim=(2, 3)), found.mean(dim=(2, 3))], dim=1))


def _block(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "walkthrough": Walkthrough,
    "compact": Compact,
    # What the compact one was compared with.
    "compact-narrow": lambda: Compact((8, 16, 32, 64)),
    "compact-wide": lambda: Compact((16, 32, 64, 96)),
}


def build(network: str) -> nn.Module:
    """Return a new network with weights from torch's current random state."""
    if network not in NETWORKS:
        raise BadInput(f"There is no network {network!r}; choose from {', '.join(NETWORKS)}.")
    return NETWORKS[network]()
