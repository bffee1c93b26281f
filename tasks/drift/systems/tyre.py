"""Tyre quality: what photographs are like, and the chance of a defect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tasks.common import manifest
from tasks.common.data import open_source
from tasks.common.metrics import Floats, softmax
from tasks.common.onnx_model import OnnxModel
from tasks.common.program import BadInput
from tasks.common.split import Split
from tasks.drift import pictures
from tasks.drift.pictures import Picture
from tasks.drift.sample import Pair, Source
from tasks.tyre import preprocessing
from tasks.tyre.checks import class_of
from tasks.tyre.dataset import POSITIVE, list_images
from tasks.tyre.preprocessing import NotAnImage, Pixels

LIMIT = pictures.LIMIT


@dataclass(frozen=True)
class Champion:
    """What the champion says of itself, and its network; a picture's label is its class."""

    name: str
    classes: tuple[str, ...]
    split: Split
    network: OnnxModel
    figure: str = "accuracy"
    better: int = 1

    @classmethod
    def of(cls, source: Source) -> Champion:
        model = source.model
        if model.description.get("preprocessing") != preprocessing.description():
            raise BadInput(f"Model {model.name} was trained on images prepared in another way; train it again.")
        try:
            split = Split(float(model.data["held_out_share"]), str(model.data.get("group") or ""))
        except (KeyError, TypeError, ValueError):
            raise BadInput(f"Model {model.name} does not say which images it held out; train it again.") from None
        network = OnnxModel.load(
            model.onnx, inputs=preprocessing.INPUT, outputs=preprocessing.OUTPUT, threads=source.threads
        )
        return cls(model.name, tuple(model.description.get("classes", ())), split, network)

    @property
    def positive(self) -> str:
        return POSITIVE if POSITIVE in self.classes else self.classes[1]

    @property
    def chance(self) -> str:
        return f"chance of {self.positive}"

    def unseen(self, picture: Picture[str], *, new: bool) -> bool:
        """A new picture is of an object that training has not seen, unless names say of which object each is."""
        return (new and not self.split.group) or self.split.held_out(picture.key, picture.digest)

    def decoded(self, content: bytes) -> Pixels | None:
        try:
            return preprocessing.decode(content)
        except NotAnImage:
            return None

    def pixels(self, decoded: Pixels) -> Pixels:
        return decoded

    def asked(self, group: Sequence[tuple[Picture[str], Pixels]]) -> tuple[Floats, Floats]:
        logits = self.network(preprocessing.normalise(np.stack([pixels for _, pixels in group])))
        chances = softmax(logits)[:, self.classes.index(self.positive)]
        truth = np.array([picture.label == self.positive for picture, _ in group])
        return chances, ((chances > 0.5) == truth).astype(np.float64)


def read(source: Source) -> Pair:
    """See ``pictures.read``. Raises BadInput for a class that the champion does not know."""
    champion = Champion.of(source)
    strange = sorted({picture.label for picture in _listed(source.data)} - set(champion.classes))
    if strange:
        raise BadInput(
            f"{source.data} has images of class {strange[0]}, which model {champion.name} does not know: it tells "
            f"{' from '.join(champion.classes)}. Train it again."
        )
    return pictures.read(source, champion, _listed)


def _listed(url: str) -> list[Picture[str]]:
    store, listed = open_source(url), manifest.of(url)
    entries = [entry for entry in list_images(store) if entry.key not in listed.corrupt]
    return [Picture(e.key, pictures.digest_of(store, e, listed), class_of(e.key)) for e in entries]
