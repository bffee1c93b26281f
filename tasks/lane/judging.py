"""A network's answers judged on pictures, by the benchmark's definition."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from tasks.common.metrics import Floats
from tasks.lane.benchmark import FIGURES, Judged, judge
from tasks.lane.dataset import Example, Scenes, normalised
from tasks.lane.model import Answering, LaneNetwork
from tasks.lane.slots import decoded


def figures_of(
    network: LaneNetwork, scenes: Scenes, examples: Sequence[Example], batch: int, device: str = "cpu"
) -> list[Judged]:
    """Judge a network of torch on these pictures."""
    answering = Answering(network).eval()

    def answer(pictures: Floats) -> Any:
        with torch.no_grad():
            return answering(torch.from_numpy(pictures).to(device)).cpu().numpy()

    return [judged for _, judged in answered(answer, scenes, examples, batch)]


def answered(
    network: Callable[[Any], Any], scenes: Scenes, examples: Sequence[Example], batch: int
) -> list[tuple[Floats, Judged]]:
    """Return the lanes that were found in each picture, and how good they are.

    :param network: answers normalised pictures [n, 3, height, width] as ``model.Answering`` does.
    """
    found = []
    for first in range(0, len(examples), batch):
        group = examples[first : first + batch]
        pictures = [scenes.picture(example) for example in group]
        answers = np.asarray(network(normalised(picture.pixels for picture in pictures)))
        for example, picture, answer in zip(group, pictures, answers, strict=True):
            label = example.label
            lanes = decoded(answer, label.heights, picture.size)
            found.append((lanes, judge(lanes, label.lanes, label.heights, picture.size[0])))
    return found


def mean_of(judged: Sequence[Judged]) -> dict[str, float]:
    """The figures of a data set: the mean over its pictures."""
    return {name: float(np.mean([getattr(each, name) for each in judged] or [0.0])) for name in FIGURES}
