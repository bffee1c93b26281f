"""Labelled images from a folder or bucket prefix with one folder per class, split by content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from tasks.common import manifest
from tasks.common.ahead import ahead, read_ahead
from tasks.common.data import Entry, Store
from tasks.common.lineage import Dataset, dataset, tensor_schema
from tasks.common.listing import only_data
from tasks.common.model_folder import Tensor
from tasks.common.program import BadInput
from tasks.common.progress import Progress
from tasks.common.run_file import RunFile
from tasks.common.split import Split
from tasks.tyre.checks import Alike, Copies, check_corrupt, class_of, say_no_images, two_classes
from tasks.tyre.preprocessing import SIDE, NotAnImage, decode, normalise

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
POSITIVE = "defective"  # the class whose finding precision and recall speak of, where the data has it
HELD_OUT_SHARE = 356 / 1856  # the walkthrough's
SPLIT = Split(HELD_OUT_SHARE)
CORRUPT_SHARE = 0.01
CONNECTIONS = 32  # images read at once: over a network most of them are only waited for
CACHE_BYTES = 600 * 2**20  # of decoded images, 147 KiB each; the rest is read again each epoch
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Example:
    """One readable image; ``pixels`` [SIDE, SIDE, 3] while there is room to keep them."""

    key: str
    label: int
    digest: str
    pixels: Pixels | None = None


@dataclass(frozen=True)
class Images:
    """A data set's readable images in order of key; ``classes`` sorted, a label being the place in it."""

    store: Store
    classes: tuple[str, ...]
    training: list[Example]
    held_out: list[Example]
    corrupt: list[str]

    @property
    def positive(self) -> int:
        return self.classes.index(POSITIVE) if POSITIVE in self.classes else 1

    @property
    def digest(self) -> str:
        """Of all readable images with their names, in one: equal for equal data, wherever it lies."""
        lines = sorted(f"{e.digest}  {e.key}\n" for e in self.training + self.held_out)
        return hashlib.sha256("".join(lines).encode()).hexdigest()


def load(
    store: Store,
    *,
    split: Split = SPLIT,
    limit: int = 0,
    corrupt_share: float = CORRUPT_SHARE,
    connections: int = CONNECTIONS,
    cache_bytes: int = CACHE_BYTES,
    parts: Sequence[str] = ("training", "held_out"),
) -> Images:
    """Read the images of ``parts`` once, and keep their pixels as far as ``cache_bytes`` allows.

    Digests come from the version's manifest where there is one; a file that it does not list is read and hashed.
    ``limit`` takes that many images, the same ones of the same data; 0 takes all. Raises BadInput for data that cannot
    be learned from.
    """
    entries = list_images(store, limit)
    images = Images(store, two_classes(store.url, entries), [], [], [])
    reasons: dict[str, str] = {}
    alike, copies, room = Alike(), Copies(store.url), cache_bytes
    for key, found in _examined(store, entries, split, parts, connections):
        if found.corrupt:
            reasons[key] = found.reason
            continue
        held_out = split.held_out(key, found.digest)
        if copies.parted(key, found.digest, held_out):
            continue
        if found.pixels is not None:
            alike.look(class_of(key), found.pixels)
            room -= found.pixels.nbytes
        label = images.classes.index(class_of(key))
        example = Example(key, label, found.digest, found.pixels if room >= 0 else None)
        (images.held_out if held_out else images.training).append(example)
    images.corrupt.extend(reasons)
    check_corrupt(store.url, reasons, len(entries), corrupt_share)
    copies.report()
    if "training" in parts:
        alike.check(store.url)
    _check_parts(images)
    return images


def lineage(run: RunFile | None, images: Images) -> Dataset:
    """The images as MLflow's Dataset tab shows them."""
    counts = {"training": len(images.training), "held_out": len(images.held_out), "corrupt": len(images.corrupt)}
    schema = tensor_schema(Tensor("images", "uint8", (-1, SIDE, SIDE, 3)))
    return dataset(run, images.store.url, images.digest, profile=counts, schema=schema)


def list_images(store: Store, limit: int = 0) -> list[Entry]:
    """Image files that lie in a class's folder, by key. Raises BadInput when there are none."""
    entries = only_data(store.entries(), store.url)
    found = [e for e in entries if "/" in e.key and e.key.lower().endswith(SUFFIXES)]
    others = say_no_images(entries, found)
    if not found:
        raise BadInput(
            f"There are no images under {store.url}: expected a folder per class, such as good/ and defective/, with "
            f"PNG or JPEG files{f'; {others}' if others else ''}."
        )
    if limit and limit < len(found):
        # Chosen by a hash of the name: evenly from both classes, and the same ones when others are added.
        found = sorted(sorted(found, key=lambda e: hashlib.sha256(e.key.encode()).digest())[:limit])
    return found


def batches(
    store: Store, examples: Sequence[Example], size: int, connections: int = CONNECTIONS
) -> Iterator[tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]]:
    """Normalised images [N, 3, SIDE, SIDE] with labels [N], in the given order; the last may be smaller."""
    pictures = _pixels(store, examples, connections)

    def batch(group: Sequence[Example], pixels: list[Pixels]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        return normalise(np.stack(pixels)), np.array([example.label for example in group])

    groups = (examples[start : start + size] for start in range(0, len(examples), size))
    yield from ahead((partial(batch, group, [next(pictures) for _ in group]) for group in groups), threads=1, depth=2)


def _pixels(store: Store, examples: Sequence[Example], connections: int) -> Iterator[Pixels]:
    absent = read_ahead(store, [e.key for e in examples if e.pixels is None], connections, decode)
    for example in examples:
        yield next(absent)[1] if example.pixels is None else example.pixels


@dataclass(frozen=True)
class _Examined:
    """``pixels`` for the parts wanted; ``corrupt`` with the ``reason``, where one is known, for what is no image."""

    digest: str
    pixels: Pixels | None = None
    corrupt: bool = False
    reason: str = ""


def _examined(
    store: Store, entries: Sequence[Entry], split: Split, parts: Sequence[str], connections: int
) -> Iterator[tuple[str, _Examined]]:
    """Each key with what is known of it, in order; only the files of ``parts``, or without a digest, are read."""
    listed = manifest.of(store.url)
    known = {entry.key: digest for entry in entries if (digest := listed.sha256(entry))}
    unread = {key for key, digest in known.items() if _part(split, key, digest) not in parts}
    wanted = [entry.key for entry in entries if entry.key not in unread]
    calls = (partial(_examine, store, key, known.get(key), split, parts) for key in wanted)
    examined = ahead(calls, threads=connections, depth=2 * connections)
    with Progress(len(wanted), "images", "Reading images") as progress:
        for entry in entries:
            if entry.key in unread:
                yield entry.key, _Examined(known[entry.key], corrupt=entry.key in listed.corrupt)
            else:
                yield entry.key, next(examined)
                progress.advance()


def _examine(store: Store, key: str, known: str | None, split: Split, parts: Sequence[str]) -> _Examined:
    content = store.read(key)
    digest = known or hashlib.sha256(content).hexdigest()
    try:
        return _Examined(digest, decode(content) if _part(split, key, digest) in parts else None)
    except NotAnImage as error:
        return _Examined(digest, corrupt=True, reason=str(error))


def _part(split: Split, key: str, digest: str) -> str:
    return "held_out" if split.held_out(key, digest) else "training"


def _check_parts(images: Images) -> None:
    for part, examples in (("training", images.training), ("held-out", images.held_out)):
        missing = [c for label, c in enumerate(images.classes) if all(e.label != label for e in examples)]
        if missing:
            raise BadInput(
                f"The {part} part of {images.store.url} ({len(examples)} images) has none of class "
                f"{' nor '.join(missing)}: add images of it."
            )
