"""Lane detection: what frames are like, how sure the champion is of its lanes, and its accuracy by the benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tasks.common.data import open_source
from tasks.common.judging import Incomparable
from tasks.common.metrics import Floats
from tasks.common.onnx_model import OnnxModel
from tasks.common.program import BadInput
from tasks.common.split import Split
from tasks.drift import pictures
from tasks.drift.pictures import Picture
from tasks.drift.sample import Pair, Source
from tasks.lane import benchmark, dataset, evaluate, slots
from tasks.lane.dataset import Pixels
from tasks.lane.export import INPUT, OUTPUT
from tasks.lane.labels import Label

LIMIT = pictures.LIMIT


@dataclass(frozen=True)
class Champion:
    """The network, the size (width, height) of what it is given, and what it held out; a label is TuSimple's."""

    size: tuple[int, int]
    split: Split
    network: OnnxModel
    figure: str = "accuracy"
    better: int = 1
    chance: str = "confidence of the lanes"

    @classmethod
    def of(cls, source: Source) -> Champion:
        model = source.model
        try:
            size, split = evaluate.size_of(model), evaluate.split_of(model)
        except Incomparable as error:
            raise BadInput(f"{error}.") from error
        return cls(size, split, OnnxModel.load(model.onnx, inputs=INPUT, outputs=OUTPUT, threads=source.threads))

    def unseen(self, picture: Picture[Label], *, new: bool) -> bool:
        """A new frame is of no drive that training has seen, unless names say of which drive each is."""
        return (new and not self.split.group) or self.split.held_out(picture.key, picture.digest)

    def decoded(self, content: bytes) -> dataset.Picture | None:
        try:
            return dataset.decoded(content, self.size, "")
        except BadInput:
            return None

    def pixels(self, decoded: dataset.Picture) -> Pixels:
        return decoded.pixels

    def asked(self, group: Sequence[tuple[Picture[Label], dataset.Picture]]) -> tuple[Floats, Floats]:
        answers = np.asarray(self.network(dataset.normalised(decoded.pixels for _, decoded in group)))
        right = [
            self._accuracy(answer, picture.label, decoded.size)
            for answer, (picture, decoded) in zip(answers, group, strict=True)
        ]
        return np.array([_sure(answer) for answer in answers]), np.array(right)

    def _accuracy(self, answer: Floats, label: Label, size: tuple[int, int]) -> float:
        label.check_inside(*size)
        lanes = slots.decoded(answer, label.heights, size)
        return benchmark.judge(lanes, label.lanes, label.heights, size[0]).accuracy


def read(source: Source) -> Pair:
    """See ``pictures.read``; frames without a label are left aside."""
    return pictures.read(source, Champion.of(source), _listed)


def _listed(url: str) -> list[Picture[Label]]:
    examples, _ = dataset.labelled(open_source(url))
    return [Picture(example.label.key, example.digest, example.label) for example in examples]


def _sure(answer: Floats) -> float:
    """How sure the network is of the places of the lanes that it finds, in the mean; 0 where it finds none.

    :param answer: of one picture, as ``slots.decoded`` takes it.
    """
    found = answer[answer[:, 0, 2] > slots.THERE]
    return float(found[:, :, 1].mean()) if len(found) else 0.0
