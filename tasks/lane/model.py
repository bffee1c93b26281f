"""The spatial convolutional network (SCNN, arXiv 1712.06080), as published and a small one.

Messages pass through the map of features slice by slice: down, up, right and left. Each slice gets what the one before
it knows, already with what that one got, so that a lane that a car hides is known from where it is to be seen.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from tasks.common.processes import SyncedBatchNorm2d
from tasks.common.program import BadInput
from tasks.lane.configs import SLOTS

KERNEL = 9
"""Places of the neighbouring slice that a message comes from, as published."""
DROPPED = 0.1
"""Share of channels left out in training, before the last layer, as published."""
DIRECTIONS = (("down", 2, False), ("up", 2, True), ("right", 3, False), ("left", 3, True))


class SpatialMessages(nn.Module):
    """Passes messages through [N, C, H, W] in one direction: along ``axis``, from its end where ``backward``."""

    def __init__(self, channels: int, axis: int, *, backward: bool, kernel: int = KERNEL) -> None:
        super().__init__()
        size, padding = ((1, kernel), (0, kernel // 2)) if axis == 2 else ((kernel, 1), (kernel // 2, 0))
        self.message = nn.Conv2d(channels, channels, size, padding=padding, bias=False)
        nn.init.uniform_(self.message.weight, -1.0, 1.0)
        with torch.no_grad():  # so that a message neither grows nor fades over many slices
            self.message.weight *= (1 / (channels * kernel * 5)) ** 0.5
        self.axis, self.backward_order = axis, backward

    def forward(self, features: Tensor) -> Tensor:
        slices = list(features.split(1, dim=self.axis))
        if self.backward_order:
            slices.reverse()
        passed = [slices[0]]
        for part in slices[1:]:
            passed.append(part + functional.relu(self.message(passed[-1])))
        if self.backward_order:
            passed.reverse()
        return torch.cat(passed, dim=self.axis)


class LaneNetwork(nn.Module):
    """Features, messages in four directions, a map of lanes and whether each exists.

    ``forward`` returns logits [N, 1 + SLOTS, rows, columns] and [N, SLOTS]. ``keep`` [N, channels] leaves channels out
    in training: it is given, not drawn here, so that a picture loses the same ones in whichever process it is.
    """

    def __init__(self, features: nn.Module, channels: int, features_shape: tuple[int, int], scale: int) -> None:
        super().__init__()
        self.features = features
        self.messages = nn.Sequential(
            *(SpatialMessages(channels, axis, backward=backward) for _, axis, backward in DIRECTIONS)
        )
        self.lanes = nn.Conv2d(channels, 1 + SLOTS, 1)
        rows, columns = features_shape
        pooled = (1 + SLOTS) * (rows // 2) * (columns // 2)
        self.exists = nn.Sequential(nn.Linear(pooled, 128), nn.ReLU(), nn.Linear(128, SLOTS))
        self.channels, self.scale = channels, scale

    def forward(self, pictures: Tensor, keep: Tensor | None = None) -> tuple[Tensor, Tensor]:
        found = self.messages(self.features(pictures))
        if keep is not None:
            found = found * keep[:, :, None, None]
        coarse = self.lanes(found)
        pooled = functional.avg_pool2d(coarse.softmax(dim=1), 2).flatten(1)
        fine = functional.interpolate(coarse, scale_factor=float(self.scale), mode="bilinear", align_corners=False)
        return fine, self.exists(pooled)


class Answering(nn.Module):
    """The network as it is deployed: [N, SLOTS, rows, 3] of place as a share of the width, how sure, whether there."""

    def __init__(self, network: LaneNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> Tensor:
        lanes, exists = self.network(pictures)
        chances = lanes.softmax(dim=1)[:, 1:]
        sure = chances.amax(dim=3, keepdim=True)
        near = chances * (chances > sure / 2)  # the place between points, from those about the surest
        columns = chances.shape[3]
        places = (torch.arange(columns, dtype=chances.dtype, device=chances.device) + 0.5) / columns
        place = (near * places).sum(dim=3, keepdim=True) / near.sum(dim=3, keepdim=True)
        there = exists.sigmoid()[:, :, None, None].expand_as(sure)
        return torch.cat([place, sure, there], dim=3)


def _small(width: int, height: int) -> LaneNetwork:
    """Quarter-size features of 16 channels, normalised picture by picture: no process knows the others' pictures."""
    layers: list[nn.Module] = []
    for inputs, outputs, stride, dilation in ((3, 16, 2, 1), (16, 24, 2, 1), (24, 24, 1, 2), (24, 16, 1, 1)):
        convolution = nn.Conv2d(inputs, outputs, 3, stride, padding=dilation, dilation=dilation, bias=False)
        layers += [convolution, nn.GroupNorm(4, outputs), nn.ReLU(inplace=True)]
    return LaneNetwork(nn.Sequential(*layers), 16, (height // 4, width // 4), scale=2)


_VGG16 = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, -1, 512, 512, 512)
"""Channels of VGG-16's convolutions; 0 halves the map, -1 stands where that is left out and the rest is dilated."""


def _scnn(width: int, height: int) -> LaneNetwork:
    layers: list[nn.Module] = []
    inputs, dilation = 3, 1
    for outputs in _VGG16:
        if outputs == 0:
            layers.append(nn.MaxPool2d(2))
        elif outputs < 0:
            dilation = 2
        else:
            layers += _normalised(inputs, outputs, 3, dilation)
            inputs = outputs
    layers += _normalised(inputs, 1024, 3, 4) + _normalised(1024, 128, 1, 1)
    return LaneNetwork(nn.Sequential(*layers), 128, (height // 8, width // 8), scale=8)


def _normalised(inputs: int, outputs: int, kernel: int, dilation: int) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2 * dilation, dilation=dilation, bias=False)
    return [convolution, SyncedBatchNorm2d(outputs), nn.ReLU(inplace=True)]


NETWORKS: dict[str, Callable[[int, int], LaneNetwork]] = {"small": _small, "scnn": _scnn}


def build(network: str, width: int, height: int) -> LaneNetwork:
    """Return a new network for pictures of this size with weights from torch's current random state."""
    if network not in NETWORKS:
        raise BadInput(f"There is no network {network!r}; choose from {', '.join(NETWORKS)}.")
    return NETWORKS[network](width, height)
