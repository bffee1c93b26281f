"""Tyre quality: what photographs are like by a few plain figures and as thumbnails, and the chance of a defect."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from tasks.common import manifest
from tasks.common.ahead import ahead
from tasks.common.data import Entry, Store, open_source
from tasks.common.metrics import Floats, softmax
from tasks.common.onnx_model import OnnxModel
from tasks.common.program import BadInput
from tasks.common.progress import Progress
from tasks.common.split import Split
from tasks.drift.sample import NothingNew, Pair, Sample, Source
from tasks.tyre import preprocessing
from tasks.tyre.checks import class_of
from tasks.tyre.dataset import CONNECTIONS, POSITIVE, list_images
from tasks.tyre.preprocessing import NotAnImage, Pixels

LIMIT = 400
COLUMNS = ("brightness", "contrast", "sharpness", "colour", "dark", "bright")
THUMBNAIL, BATCH = 8, 32


@dataclass(frozen=True)
class Picture:
    entry: Entry
    digest: str


@dataclass(frozen=True)
class Champion:
    """What the champion says of itself, and its network."""

    classes: tuple[str, ...]
    split: Split
    network: OnnxModel

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
        return cls(tuple(model.description.get("classes", ())), split, network)


def read(source: Source) -> Pair:
    """Images of the baseline, those first that training held out, and images whose content is in no earlier version."""
    champion = Champion.of(source)
    known = {picture.digest for url in source.known for picture in _listed(url)}
    new = [picture for picture in _listed(source.data) if picture.digest not in known]
    if not new:
        raise NothingNew(f"All images of {source.data} were there before; there is no new one.")
    _check_classes(source, new, champion)
    left_out: list[str] = []
    old = sorted(_listed(source.baseline), key=lambda picture: (not _held_out(picture, champion), picture.digest))
    before = _sample(source.baseline, old[: source.limit], champion, left_out)
    chosen = sorted(new, key=lambda picture: picture.digest)[: source.limit]
    after = _sample(source.data, chosen, champion, left_out, fresh=not champion.split.group)
    return Pair(
        before, after, figure="accuracy", better=1, chance=f"chance of {_positive(champion)}", left_out=left_out
    )


def _listed(url: str) -> list[Picture]:
    """Every image with the digest of its content, from the manifest of the version where there is one."""
    store, listed = open_source(url), manifest.of(url)
    entries = [entry for entry in list_images(store) if entry.key not in listed.corrupt]
    return [Picture(e, listed.sha256(e) or hashlib.sha256(store.read(e.key)).hexdigest()) for e in entries]


def _held_out(picture: Picture, champion: Champion) -> bool:
    return champion.split.held_out(picture.entry.key, picture.digest)


def _positive(champion: Champion) -> str:
    return POSITIVE if POSITIVE in champion.classes else champion.classes[1]


def _check_classes(source: Source, new: Sequence[Picture], champion: Champion) -> None:
    strange = sorted({class_of(picture.entry.key) for picture in new} - set(champion.classes))
    if strange:
        raise BadInput(
            f"{source.data} has images of class {strange[0]}, which model {source.model.name} does not know: it tells "
            f"{' from '.join(champion.classes)}. Train it again."
        )


def _sample(
    url: str, pictures: Sequence[Picture], champion: Champion, left_out: list[str], *, fresh: bool = False
) -> Sample:
    """``fresh`` pictures are of no object that training has seen, whatever the split would say of their content."""
    positive = _positive(champion)
    columns, thumbnails, chances, right = [], [], [], []
    for group in _batches(open_source(url), pictures, left_out):
        columns += [described(pixels) for _, pixels in group]
        thumbnails += [_thumbnail(pixels) for _, pixels in group]
        asked = [(picture, pixels) for picture, pixels in group if fresh or _held_out(picture, champion)]
        if asked:
            logits = champion.network(preprocessing.normalise(np.stack([pixels for _, pixels in asked])))
            found = softmax(logits)[:, champion.classes.index(positive)]
            chances += found.tolist()
            right += [
                (chance > 0.5) == (class_of(picture.entry.key) == positive)
                for chance, (picture, _) in zip(found, asked, strict=True)
            ]
    if not columns:
        raise BadInput(f"None of the {len(pictures)} images of {url} can be read.")
    table = np.array(columns)
    return Sample(
        rows=len(table),
        columns={name: table[:, number] for number, name in enumerate(COLUMNS)},
        chances=np.array(chances),
        figures=np.array(right, np.float64),
        embedding=np.concatenate([np.array(thumbnails), table], axis=1),
    )


def _batches(store: Store, pictures: Sequence[Picture], left_out: list[str]) -> Iterator[list[tuple[Picture, Pixels]]]:
    """Decoded pictures, some tens at a time; one that cannot be read is named in ``left_out``."""

    def decoded(picture: Picture) -> Pixels | None:
        try:
            return preprocessing.decode(store.read(picture.entry.key))
        except NotAnImage:
            return None

    calls = (lambda picture=picture: decoded(picture) for picture in pictures)
    group: list[tuple[Picture, Pixels]] = []
    with Progress(len(pictures), "images", "Looking at images") as progress:
        found = ahead(calls, threads=CONNECTIONS, depth=2 * CONNECTIONS)
        for picture, pixels in zip(pictures, found, strict=True):
            progress.advance()
            if pixels is None:
                left_out.append(picture.entry.key)
                continue
            group.append((picture, pixels))
            if len(group) == BATCH:
                yield group
                group = []
    if group:
        yield group


def described(pixels: Pixels) -> Floats:
    """The figures of COLUMNS of a picture [height, width, 3]: 0 to 1 but for sharpness, a logarithm."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    sharpness = np.log1p(float(cv2.Laplacian(grey, cv2.CV_32F).var()))
    colour = float(np.ptp(pixels, axis=2).mean()) / 255
    dark, bright = float((grey < 32).mean()), float((grey > 224).mean())
    return np.array([grey.mean() / 255, grey.std() / 255, sharpness, colour, dark, bright])


def _thumbnail(pixels: Pixels) -> Floats:
    small = cv2.resize(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
    return small.ravel().astype(np.float64) / 255
