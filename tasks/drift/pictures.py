"""What systems of pictures share: which pictures are new, what they are like, and the champion asked about them.

Pictures are described by a few plain figures and embedded as thumbnails; what the champion says of one, and how right
that is, each system tells for itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from tasks.common.ahead import ahead
from tasks.common.data import Entry, Store, open_source
from tasks.common.manifest import Manifest
from tasks.common.metrics import Floats
from tasks.common.program import BadInput
from tasks.common.progress import Progress
from tasks.drift.sample import NothingNew, Pair, Sample, Source

LIMIT = 400
COLUMNS = ("brightness", "contrast", "sharpness", "dark", "bright", "colour")
THUMBNAIL, BATCH, CONNECTIONS = 8, 32, 16

Pixels = npt.NDArray[np.uint8]
L = TypeVar("L")
D = TypeVar("D")


@dataclass(frozen=True)
class Picture(Generic[L]):
    """A file of a version, its content's SHA-256 in hex digits, and what is known of it."""

    key: str
    digest: str
    label: L


class Champion(Protocol[L, D]):
    """A champion that is asked about pictures."""

    @property
    def figure(self) -> str:
        """Return what tells how right it is."""

    @property
    def better(self) -> int:
        """Return 1 where more of the figure is better, else -1."""

    @property
    def chance(self) -> str:
        """Return what its chances are of."""

    def unseen(self, picture: Picture[L], *, new: bool) -> bool:
        """Tell whether it was not trained on the picture, nor on others of the same object; ``new`` came later."""

    def decoded(self, content: bytes) -> D | None:
        """Return a picture as the network wants it, or None for what is none."""

    def pixels(self, decoded: D) -> Pixels:
        """Return its pixels [height, width] or [height, width, 3], red, green, blue."""

    def asked(self, group: Sequence[tuple[Picture[L], D]]) -> tuple[Floats, Floats]:
        """Return how sure it is of each picture [N], and how right [N]."""


def read(source: Source, champion: Champion[L, D], listed: Callable[[str], list[Picture[L]]]) -> Pair:
    """Pictures of the baseline, those first that training held out, and those of content that no earlier version has.

    :param listed: returns the pictures of a version.
    """
    known = {picture.digest for url in source.known for picture in listed(url)}
    newest = listed(source.data)
    new = [picture for picture in newest if picture.digest not in known]
    if not new:
        raise NothingNew(f"All {len(newest)} images of {source.data} were there before; there is no new one.")
    left_out: list[str] = []
    samples = []
    for url, pictures, is_new in ((source.baseline, listed(source.baseline), False), (source.data, new, True)):
        unseen = {picture.key for picture in pictures if champion.unseen(picture, new=is_new)}
        chosen = sorted(pictures, key=lambda picture: (picture.key not in unseen, picture.digest))
        samples.append(_sample(url, chosen[: source.limit], unseen, champion, left_out))
    before, after = samples
    return Pair(
        before, after, figure=champion.figure, better=champion.better, chance=champion.chance, left_out=left_out
    )


def digest_of(store: Store, entry: Entry, listed: Manifest) -> str:
    """From the manifest of the version where there is one, else of the content."""
    return listed.sha256(entry) or hashlib.sha256(store.read(entry.key)).hexdigest()


def _sample(
    url: str, pictures: Sequence[Picture[L]], unseen: set[str], champion: Champion[L, D], left_out: list[str]
) -> Sample:
    columns, thumbnails = [], []
    chances: list[float] = []
    figures: list[float] = []
    for group in _batches(open_source(url), pictures, champion, left_out):
        for _, decoded in group:
            columns.append(described(champion.pixels(decoded)))
            thumbnails.append(_thumbnail(champion.pixels(decoded)))
        asked = [(picture, decoded) for picture, decoded in group if picture.key in unseen]
        if asked:
            for kept, found in zip((chances, figures), champion.asked(asked), strict=True):
                kept += found.tolist()
    if not columns:
        raise BadInput(f"None of the {len(pictures)} images of {url} can be read.")
    table = np.array(columns)
    return Sample(
        rows=len(table),
        columns=dict(zip(COLUMNS, table.T, strict=False)),
        chances=np.array(chances, np.float64),
        figures=np.array(figures, np.float64),
        embedding=np.concatenate([np.array(thumbnails), table], axis=1),
    )


def _batches(
    store: Store, pictures: Sequence[Picture[L]], champion: Champion[L, D], left_out: list[str]
) -> Iterator[list[tuple[Picture[L], D]]]:
    """Decoded pictures, some tens at a time; one that cannot be read is named in ``left_out``."""
    calls = (lambda key=picture.key: champion.decoded(store.read(key)) for picture in pictures)
    group: list[tuple[Picture[L], D]] = []
    with Progress(len(pictures), "images", "Looking at images") as progress:
        found = ahead(calls, threads=CONNECTIONS, depth=2 * CONNECTIONS)
        for picture, decoded in zip(pictures, found, strict=True):
            progress.advance()
            if decoded is None:
                left_out.append(picture.key)
                continue
            group.append((picture, decoded))
            if len(group) == BATCH:
                yield group
                group = []
    if group:
        yield group


def described(pixels: Pixels) -> Floats:
    """The figures of COLUMNS of a picture: 0 to 1 but for sharpness, a logarithm. A grey one has no colour."""
    grey: Any = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    sharpness = np.log1p(float(cv2.Laplacian(grey, cv2.CV_32F).var()))
    dark, bright = float((grey < 32).mean()), float((grey > 224).mean())
    found = [grey.mean() / 255, grey.std() / 255, sharpness, dark, bright]
    return np.array(found if pixels.ndim == 2 else [*found, float(np.ptp(pixels, axis=2).mean()) / 255])


def _thumbnail(pixels: Pixels) -> Floats:
    grey: Any = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
    return small.ravel().astype(np.float64) / 255
