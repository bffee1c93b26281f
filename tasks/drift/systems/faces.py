"""Faces: what pictures are like, how sure the champion with its noise is of the faces, and how many it has right.

Average precision is no mean over pictures. So how right it is, is told of each picture by itself: F1 of the faces found
at the threshold at which the champion is judged, each with an overlap above a half.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tasks.common import manifest
from tasks.common.data import open_source
from tasks.common.metrics import Floats
from tasks.drift import pictures
from tasks.drift.pictures import Picture
from tasks.drift.sample import Pair, Source
from tasks.faces import dataset, fddb, judging, preprocessing
from tasks.faces.dataset import Example
from tasks.faces.detector import Detector
from tasks.faces.ellipses import Annotated
from tasks.faces.fddb import Found
from tasks.faces.preprocessing import NotAPicture, Pixels

LIMIT = pictures.LIMIT

Seen = tuple[Picture[Annotated], preprocessing.Picture]


@dataclass(frozen=True)
class Champion:
    """Head, noise and tail; a picture's label is its entry in the lists."""

    detector: Detector
    noise: np.random.Generator
    figure: str = "F1 of the faces"
    better: int = 1
    chance: str = "confidence of the faces"

    def unseen(self, picture: Picture[Annotated], *, new: bool) -> bool:
        """By fold: a new picture may show persons that it was trained on."""
        return picture.label.fold in self.detector.held_out

    def decoded(self, content: bytes) -> preprocessing.Picture | None:
        try:
            return preprocessing.decode(content, self.detector.chosen)
        except NotAPicture:
            return None

    def pixels(self, decoded: preprocessing.Picture) -> Pixels:
        colours = decoded.pixels
        return colours[0] if len(colours) == 1 else np.ascontiguousarray(colours.transpose(1, 2, 0))

    def asked(self, group: Sequence[Seen]) -> tuple[Floats, Floats]:
        examples = [_example(*each) for each in group]
        answers = self.detector.answers(examples, self.noise)
        found = judging.found(self.detector.chosen, examples, answers)
        sure = [float(each.chances.mean()) if len(each.chances) else 0.0 for each in found]
        return np.array(sure), np.array([_f1(each) for each in found])


def read(source: Source) -> Pair:
    """See ``pictures.read``; pictures that the lists do not name are left aside."""
    detector = Detector.of(source.model.onnx.parent, source.threads)
    return pictures.read(source, Champion(detector, np.random.default_rng(source.seed)), _listed)


def _listed(url: str) -> list[Picture[Annotated]]:
    store, listed = open_source(url), manifest.of(url)
    return [
        Picture(entry.key, pictures.digest_of(store, entry, listed), annotated)
        for annotated, entry in dataset.annotated(store)
        if entry.key not in listed.corrupt
    ]


def _example(picture: Picture[Annotated], decoded: preprocessing.Picture) -> Example:
    told = picture.label
    return Example(
        name=told.name,
        key=picture.key,
        fold=told.fold,
        faces=told.faces,
        persons=(),
        width=decoded.width,
        height=decoded.height,
        digest=picture.digest,
        pixels=lambda: decoded.pixels,
    )


def _f1(found: Found) -> float:
    """1 where a picture has no face and none is found."""
    (steps,) = fddb.steps([found], fddb.DISCRETE)
    kept = steps.chances >= judging.THRESHOLD
    both = int(kept.sum()) + steps.faces
    return float(2 * steps.gains[kept].sum() / both) if both else 1.0
