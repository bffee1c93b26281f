"""Chest X-rays: what pictures are like, how sure the champion is of their findings, and its log loss on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from scipy.special import expit

from tasks.chest import evaluate, preprocessing, table
from tasks.chest.export import digest_of
from tasks.chest.findings import FINDINGS
from tasks.chest.preprocessing import IsDicom, NotAPicture, Pixels
from tasks.chest.table import Row
from tasks.common import manifest
from tasks.common.data import open_source
from tasks.common.judging import Incomparable
from tasks.common.listing import only_data
from tasks.common.metrics import Floats, losses
from tasks.common.onnx_model import OnnxModel
from tasks.common.program import BadInput
from tasks.drift import pictures
from tasks.drift.pictures import Picture
from tasks.drift.sample import Pair, Source

LIMIT = pictures.LIMIT


@dataclass(frozen=True)
class Champion:
    """The network, and the digests of the patients that it was trained on; a picture's label is its row."""

    side: int
    trained_on: frozenset[str]
    network: OnnxModel
    figure: str = "log loss of the findings"
    better: int = -1
    chance: str = "confidence of the findings"

    @classmethod
    def of(cls, source: Source) -> Champion:
        model = source.model
        side = evaluate.side_of(model)
        try:
            trained_on = evaluate.known_to(model, side)
        except Incomparable as error:
            raise BadInput(f"{error}.") from error
        inputs, outputs = preprocessing.INPUT, preprocessing.OUTPUT
        return cls(side, trained_on, OnnxModel.load(model.onnx, inputs=inputs, outputs=outputs, threads=source.threads))

    def unseen(self, picture: Picture[Row], *, new: bool) -> bool:
        """By patient: a new picture may be of one that it was trained on."""
        return digest_of(picture.label.patient) not in self.trained_on

    def decoded(self, content: bytes) -> Pixels | None:
        try:
            return preprocessing.decode(content, self.side).pixels
        except (NotAPicture, IsDicom):
            return None

    def pixels(self, decoded: Pixels) -> Pixels:
        return decoded

    def asked(self, group: Sequence[tuple[Picture[Row], Pixels]]) -> tuple[Floats, Floats]:
        """Of all findings of a picture, the mean."""
        logits = self.network(preprocessing.normalise(np.stack([pixels for _, pixels in group])))
        chances = expit(np.asarray(logits, np.float64))
        truth = np.array([[name in picture.label.findings for name in FINDINGS] for picture, _ in group])
        return np.maximum(chances, 1 - chances).mean(axis=1), losses(chances, truth).mean(axis=1)


def read(source: Source) -> Pair:
    """See ``pictures.read``; pictures without a row in the table are left aside."""
    return pictures.read(source, Champion.of(source), _listed)


def _listed(url: str) -> list[Picture[Row]]:
    store, listed = open_source(url), manifest.of(url)
    entries = only_data(store.entries(), store.url)
    rows = {row.picture: row for row in table.read(store, entries).rows}
    found = [(e, rows[name]) for e in entries if (name := PurePosixPath(e.key).name) in rows]
    return [
        Picture(e.key, pictures.digest_of(store, e, listed), row) for e, row in found if e.key not in listed.corrupt
    ]
