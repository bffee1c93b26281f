"""FaceBoxes, in two halves: the head runs where the picture is, the tail where the server is.

The head makes an activation of a picture, the tail finds faces in it: for each anchor four numbers that say where the
face is from there, and the chance that there is one. What is added between the two is in ``noise``.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, max_pool2d, relu

from tasks.faces.anchors import per_cell
from tasks.faces.configs import Configuration

ANSWERS = 5  # numbers for an anchor: four of a box, and the logit of a face against none


class Convolution(nn.Module):
    """A convolution with batch normalisation; ``doubled`` is CReLU: positive and negative part side by side."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int = 1, *, doubled: bool = False) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)
        self.normalisation = nn.BatchNorm2d(outputs)
        self.doubled = doubled

    def forward(self, values: Tensor) -> Tensor:
        found: Tensor = self.normalisation(self.convolution(values))
        return relu(torch.cat([found, -found], 1)) if self.doubled else relu(found)


class Head(nn.Module):
    """Pictures [N, colours, side, side], grey values from -1 to 1, to activations [N, channels, side / stride, ...]."""

    def __init__(self, chosen: Configuration) -> None:
        super().__init__()
        first, second = chosen.head
        self.first = Convolution(chosen.colours, first, 7, chosen.strides[0], doubled=True)
        self.second = Convolution(2 * first, second, 5, chosen.strides[2], doubled=True)
        self.pools = chosen.strides[1], chosen.strides[3]

    def forward(self, pictures: Tensor) -> Tensor:
        found = pictures
        for layer, stride in zip((self.first, self.second), self.pools, strict=True):
            found = layer(found)
            found = max_pool2d(found, 3, stride, 1) if stride > 1 else found
        return found


class Inception(nn.Module):
    """Four branches that see windows of different sizes, side by side."""

    def __init__(self, inputs: int, branch: int, reduced: int) -> None:
        super().__init__()
        self.point = Convolution(inputs, branch, 1)
        self.pooled = Convolution(inputs, branch, 1)
        self.near = nn.Sequential(Convolution(inputs, reduced, 1), Convolution(reduced, branch, 3))
        self.far = nn.Sequential(
            Convolution(inputs, reduced, 1), Convolution(reduced, branch, 3), Convolution(branch, branch, 3)
        )

    def forward(self, values: Tensor) -> Tensor:
        pooled = self.pooled(avg_pool2d(values, 3, 1, 1))
        return torch.cat([self.point(values), pooled, self.near(values), self.far(values)], 1)


class Tail(nn.Module):
    """Activations [N, channels, height, width] to answers [N, anchors, 5]: four of the box, and a logit."""

    def __init__(self, chosen: Configuration) -> None:
        super().__init__()
        wide, deep = 4 * chosen.branch, chosen.deep
        self.inceptions = nn.Sequential(
            Inception(chosen.activation[0], chosen.branch, chosen.reduced),
            Inception(wide, chosen.branch, chosen.reduced),
            Inception(wide, chosen.branch, chosen.reduced),
        )
        self.middle = nn.Sequential(Convolution(wide, deep // 2, 1), Convolution(deep // 2, deep, 3, 2))
        self.last = nn.Sequential(Convolution(deep, deep // 2, 1), Convolution(deep // 2, deep, 3, 2))
        counts = [per_cell(chosen, layer) for layer in range(3)]
        self.answers = nn.ModuleList(
            nn.Conv2d(width, count * ANSWERS, 3, padding=1)
            for width, count in zip((wide, deep, deep), counts, strict=True)
        )

    def forward(self, activations: Tensor) -> Tensor:
        found = self.inceptions(activations)
        middle = self.middle(found)
        layers = found, middle, self.last(middle)
        return torch.cat([_rows(answer(each)) for answer, each in zip(self.answers, layers, strict=True)], 1)


class FaceBoxes(nn.Module):
    """Both halves with nothing between them, as they are trained."""

    def __init__(self, chosen: Configuration) -> None:
        super().__init__()
        self.head, self.tail = Head(chosen), Tail(chosen)

    def forward(self, pictures: Tensor) -> Tensor:
        found: Tensor = self.tail(self.head(pictures))
        return found


def _rows(answers: Tensor) -> Tensor:
    """[N, anchors of a cell * 5, height, width] to [N, anchors, 5], cell by cell from the upper left."""
    return answers.permute(0, 2, 3, 1).reshape(answers.shape[0], -1, ANSWERS)
