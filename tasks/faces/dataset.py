"""Pictures with faces in FDDB's layout, from a folder or bucket prefix."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePosixPath

import numpy as np
import numpy.typing as npt

from tasks.common import manifest
from tasks.common.ahead import ahead
from tasks.common.data import Entry, Store
from tasks.common.lineage import Dataset, dataset, tensor_schema
from tasks.common.listing import only_data
from tasks.common.model_folder import Tensor
from tasks.common.program import BadInput
from tasks.common.progress import Progress, say
from tasks.common.run_file import RunFile
from tasks.faces import ellipses
from tasks.faces.anchors import Boxes
from tasks.faces.configs import Configuration
from tasks.faces.ellipses import FOLDS, Annotated, Ellipse
from tasks.faces.generate import PERSONS
from tasks.faces.preprocessing import NotAPicture, Pixels, decode

HELD_OUT = (7, 8, 9, 10)  # folds that nothing is trained on
CORRUPT_SHARE = 0.01
CONNECTIONS = 16
CACHE_BYTES = 1 << 30  # of decoded pictures; the rest is decoded again each time
_SUFFIXES = (".jpg", ".jpeg", ".png")
_SHOWN = 3


@dataclass(frozen=True)
class Example:
    """One picture: ``faces`` in its own pixels, ``persons`` who they are, -1 where nobody says."""

    name: str
    key: str
    fold: int
    faces: tuple[Ellipse, ...]
    persons: tuple[int, ...]
    width: int
    height: int
    digest: str
    pixels: Callable[[], Pixels] = field(repr=False)

    @property
    def boxes(self) -> Boxes:
        """Of its faces, as shares of width and height [faces, 4]."""
        found = np.array([face.box for face in self.faces], np.float32).reshape(-1, 4)
        return np.clip(found / np.array([self.width, self.height] * 2, np.float32), 0, 1)


@dataclass(frozen=True)
class Faces:
    """What was read. ``digest`` is of all lists and pictures, whichever folds were asked for."""

    store: Store
    chosen: Configuration
    examples: list[Example]
    corrupt: list[str]
    digest: str

    def of(self, folds: Sequence[int]) -> list[Example]:
        return [example for example in self.examples if example.fold in folds]


def load(
    store: Store,
    chosen: Configuration,
    folds: Sequence[int] = range(1, FOLDS + 1),
    *,
    limit: int = 0,
    corrupt_share: float = CORRUPT_SHARE,
) -> Faces:
    """Read the pictures of these folds. Raises BadInput, in one sentence, for data that cannot be meant.

    :param limit: pictures at most, the same number of each fold; 0: all.
    """
    entries = only_data(store.entries(), store.url)
    listed, persons = _annotated(store, entries), _persons(store, entries)
    wanted = [picture for picture in listed if picture.fold in folds]
    if limit:
        wanted = _limited(wanted, max(1, limit // max(1, len(set(folds)))))
    keys = _keys(store, entries, wanted)
    found = Faces(store, chosen, [], [], _digest(store, entries))
    _read(found, wanted, keys, persons)
    _check(found, len(wanted), folds, corrupt_share)
    return found


def annotated(store: Store) -> list[tuple[Annotated, Entry]]:
    """Return every picture of the lists with its file; none is looked at. Raises BadInput for lists that do not fit."""
    entries = only_data(store.entries(), store.url)
    listed = _annotated(store, entries)
    keys = _keys(store, entries, listed)
    return [(picture, keys[picture.name]) for picture in listed]


def held_out(text: str) -> tuple[int, ...]:
    """Folds from numbers joined by commas. Raises BadInput."""
    try:
        folds = tuple(sorted({int(number) for number in text.split(",")}))
    except ValueError:
        folds = ()
    if not folds or folds[0] < 1 or folds[-1] > FOLDS or len(folds) == FOLDS:
        raise BadInput(
            f"--held-out is {text!r}; give numbers of folds from 1 to {FOLDS}, joined by commas, and leave some to "
            "train on."
        )
    return folds


def truth(examples: Sequence[Example]) -> list[Boxes]:
    return [example.boxes for example in examples]


def lineage(run: RunFile | None, faces: Faces) -> Dataset:
    """The pictures as MLflow's Dataset tab shows them."""
    counts = {"pictures": len(faces.examples), "faces": sum(len(e.faces) for e in faces.examples)}
    chosen = faces.chosen
    schema = tensor_schema(Tensor("pictures", "uint8", (-1, chosen.colours, chosen.side, chosen.side)))
    return dataset(run, faces.store.url, faces.digest, profile=counts, schema=schema)


def batch(examples: Sequence[Example]) -> Pixels:
    """[N, colours, side, side]."""
    return np.stack([example.pixels() for example in examples])


def in_batches(examples: Sequence[Example], size: int) -> Iterator[npt.NDArray[np.uint8]]:
    for start in range(0, len(examples), size):
        yield batch(examples[start : start + size])


def _annotated(store: Store, entries: Sequence[Entry]) -> list[Annotated]:
    folds = {fold: entry.key for entry in entries if (fold := ellipses.fold_of(entry.key)) is not None}
    missing = [fold for fold in range(1, FOLDS + 1) if fold not in folds]
    if missing:
        raise BadInput(
            f"{store.url} has no {ellipses.names(missing[0])[1]} ({len(missing)} of {FOLDS} lists are missing): it "
            "must be in FDDB's layout, with FDDB-folds and originalPics."
        )
    found = []
    for fold in range(1, FOLDS + 1):
        content = store.read(folds[fold])
        found += ellipses.read(content.decode("utf-8", errors="replace"), fold, folds[fold])
    return found


def _persons(store: Store, entries: Sequence[Entry]) -> dict[tuple[str, int], int]:
    """Who each face is, of composites; FDDB's own do not say."""
    key = next((entry.key for entry in entries if PurePosixPath(entry.key).name == PERSONS), None)
    if key is None:
        return {}
    rows = csv.DictReader(io.StringIO(store.read(key).decode()))
    try:
        return {(row["picture"], int(row["face"])): int(row["person"]) for row in rows}
    except (KeyError, TypeError, ValueError):
        raise BadInput(f"{key} of {store.url} must have the columns picture, face and person; make it again.") from None


def _limited(pictures: Sequence[Annotated], of_each: int) -> list[Annotated]:
    left: dict[int, int] = {}
    kept = []
    for picture in pictures:
        left[picture.fold] = left.get(picture.fold, of_each) - 1
        if left[picture.fold] >= 0:
            kept.append(picture)
    return kept


def _keys(store: Store, entries: Sequence[Entry], wanted: Sequence[Annotated]) -> dict[str, Entry]:
    """The file of each picture: the lists name it from the folder of the pictures on, without its ending."""
    pictures = [entry for entry in entries if entry.key.lower().endswith(_SUFFIXES)]
    stems = {str(PurePosixPath(entry.key).with_suffix("")): entry for entry in pictures}
    first = wanted[0].name if wanted else ""
    prefix = min((stem.removesuffix(first) for stem in stems if stem.endswith(f"/{first}")), default="")
    found = {picture.name: stems[prefix + picture.name] for picture in wanted if prefix + picture.name in stems}
    missing = [picture for picture in wanted if picture.name not in found]
    if missing:
        raise BadInput(
            f"Fold {missing[0].fold} names {missing[0].name}, of which there is no picture under {store.url} "
            f"({len(missing)} of {len(wanted)} are missing): add the pictures, as originalPics/{missing[0].name}.jpg."
        )
    return found


def _read(
    found: Faces, wanted: Sequence[Annotated], keys: dict[str, Entry], persons: dict[tuple[str, int], int]
) -> None:
    room = CACHE_BYTES
    contents = ahead((partial(found.store.read, keys[picture.name].key) for picture in wanted), CONNECTIONS, 64)
    with Progress(len(wanted), "pictures", "Reading pictures") as progress:
        for picture, content in zip(wanted, contents, strict=True):
            key = keys[picture.name].key
            progress.advance()
            try:
                decoded = decode(content, found.chosen)
            except NotAPicture as error:
                found.corrupt.append(f"{key} {error}")
                continue
            room -= decoded.pixels.nbytes
            pixels = partial(_same, decoded.pixels) if room >= 0 else partial(_again, found.store, key, found.chosen)
            who = tuple(persons.get((picture.name, place), -1) for place in range(len(picture.faces)))
            digest = hashlib.sha256(content).hexdigest()
            found.examples.append(
                Example(
                    picture.name, key, picture.fold, picture.faces, who, decoded.width, decoded.height, digest, pixels
                )
            )


def _same(pixels: Pixels) -> Pixels:
    return pixels


def _again(store: Store, key: str, chosen: Configuration) -> Pixels:
    return decode(store.read(key), chosen).pixels


def _digest(store: Store, entries: Sequence[Entry]) -> str:
    """Equal for equal data, wherever it lies: by the manifest where there is one, else by names and sizes."""
    whole, known = hashlib.sha256(), manifest.of(store.url)
    for entry in entries:
        whole.update(f"{entry.key} {entry.size} {known.sha256(entry) or ''}\n".encode())
    return whole.hexdigest()


def _check(found: Faces, total: int, folds: Sequence[int], corrupt_share: float) -> None:
    where, corrupt = found.store.url, found.corrupt
    if corrupt:
        said = f"{len(corrupt)} of {total} pictures under {where} cannot be used: {'; '.join(corrupt[:_SHOWN])}"
        if len(corrupt) > corrupt_share * total:
            raise BadInput(f"{said}. Mend or remove them, or raise --corrupt-share above {corrupt_share:g}.")
        say(f"Left out: {said}.")
    for fold in folds:
        if not found.of([fold]):
            raise BadInput(f"Fold {fold} under {where} has no picture: add some, or hold other folds out.")
    if not any(example.faces for example in found.examples):
        raise BadInput(f"None of the {total} pictures under {where} has a face: there is nothing to find.")
    bare = sum(not example.faces for example in found.examples)
    if bare:
        say(f"{bare} of {len(found.examples)} pictures have no face; what is found in them is wrong.")
