"""Labelled pictures from a folder or bucket prefix in TuSimple's layout, checked, and split by content."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from tasks.common import manifest
from tasks.common.data import Entry, Store
from tasks.common.lineage import Dataset, dataset, tensor_schema
from tasks.common.listing import only_data
from tasks.common.model_folder import Tensor
from tasks.common.program import BadInput
from tasks.common.progress import Progress, say
from tasks.common.run_file import RunFile
from tasks.common.split import Split
from tasks.lane.labels import FILES, Label, parse

HELD_OUT_SHARE = 0.2
SPLIT = Split(HELD_OUT_SHARE)
CONNECTIONS = 16
CACHE_BYTES = 400 * 2**20
"""Of prepared pictures that a process keeps; the rest is read again each epoch."""
MEAN, SPREAD = (0.3598, 0.3653, 0.3662), (0.2573, 0.2663, 0.2756)
"""Of the red, green and blue of road pictures; the ones SCNN was published with."""
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Picture:
    """``pixels`` [height, width, 3] red, green, blue, made as large as the network wants; ``size`` of the original."""

    pixels: Pixels
    size: tuple[int, int]


@dataclass(frozen=True)
class Example:
    label: Label
    digest: str


@dataclass
class Scenes:
    """A data set's labelled pictures in order of key, and the size (width, height) that the network wants.

    ``missing`` are labels whose picture was found unreadable when the version was made.
    """

    store: Store
    training: list[Example]
    held_out: list[Example]
    size: tuple[int, int]
    missing: list[str] = field(default_factory=list)
    cache_bytes: int = CACHE_BYTES
    _kept: dict[str, Picture] = field(default_factory=dict)

    def picture(self, example: Example) -> Picture:
        """Read one picture, or take it from memory. Raises BadInput for one that its label does not fit."""
        key = example.label.key
        if (kept := self._kept.get(key)) is not None:
            return kept
        read = decoded(self.store.read(key), self.size, f"{self.store.url}/{key}")
        example.label.check_inside(*read.size)
        if self.cache_bytes >= read.pixels.nbytes:
            self.cache_bytes -= read.pixels.nbytes
            self._kept[key] = read
        return read

    @functools.cached_property
    def digest(self) -> str:
        """Of all pictures and labels, in one: equal for equal data, wherever it lies."""
        lines = sorted(f"{e.digest}  {e.label.key}  {_text(e.label)}\n" for e in self.training + self.held_out)
        return hashlib.sha256("".join(lines).encode()).hexdigest()


def load(
    store: Store, size: tuple[int, int], *, split: Split = SPLIT, limit: int = 0, part: tuple[int, int] = (0, 1)
) -> Scenes:
    """Read all labels and check them against the pictures there are. Raises BadInput for what cannot be learned from.

    :param size: width and height that pictures are made.
    :param limit: take that many pictures, the same ones of the same data; 0 takes all.
    :param part: rank and number of processes: each looks at its share of the pictures.
    """
    examples, unreadable = labelled(store, limit)
    scenes = Scenes(store, [], [], size, unreadable)
    for example in examples:
        held_out = split.held_out(example.label.key, example.digest)
        (scenes.held_out if held_out else scenes.training).append(example)
    if unreadable:
        say(f"Left out: {len(unreadable)} labels of pictures that cannot be read, such as {unreadable[0]}.")
    if not scenes.training or not scenes.held_out:
        raise BadInput(
            f"{store.url} has {len(scenes.training)} labelled pictures to train on and {len(scenes.held_out)} held "
            "out; add more."
        )
    _look(scenes, part)
    return scenes


def labelled(store: Store, limit: int = 0) -> tuple[list[Example], list[str]]:
    """Return all labelled pictures in order of key, and the keys of those found unreadable when the version was made.

    No picture is looked at. Raises BadInput for labels that cannot be meant.
    """
    entries = {entry.key: entry for entry in only_data(store.entries(), store.url)}
    listed = manifest.of(store.url)
    labels = list(_labels(store, entries, listed.corrupt))
    unreadable = [label.key for label in labels if label.key in listed.corrupt]
    labels = _limited([label for label in labels if label.key not in listed.corrupt], limit)
    digests = _digests(store, [entries[label.key] for label in labels], listed)
    return [Example(label, digests[label.key]) for label in labels], unreadable


def _labels(store: Store, entries: dict[str, Entry], corrupt: frozenset[str]) -> Iterator[Label]:
    files = [key for key in entries if FILES.fullmatch(key)]
    if not files:
        raise BadInput(
            f"There is no label file under {store.url}: expected label_data_....json beside a folder clips/, as in "
            "TuSimple's data set."
        )
    seen: dict[str, str] = {}
    for name in files:
        folder = name.rpartition("/")[0]
        for label in parse(store.read(name), f"{store.url}/{name}", f"{folder}/" if folder else ""):
            if label.key not in entries and label.key not in corrupt:
                raise BadInput(
                    f"{label.line} labels {label.key}, and there is no such picture; add the clip or remove the line."
                )
            if label.key in seen:
                raise BadInput(f"{label.line} labels {label.key}, as {seen[label.key]} does; remove one of the lines.")
            seen[label.key] = label.line
            yield label


def _limited(labels: list[Label], limit: int) -> list[Label]:
    labels.sort(key=lambda label: label.key)
    if not limit or limit >= len(labels):
        return labels
    # By a hash of the name: the same ones when others are added.
    chosen = sorted(labels, key=lambda label: hashlib.sha256(label.key.encode()).digest())[:limit]
    return sorted(chosen, key=lambda label: label.key)


def _digests(store: Store, entries: Sequence[Entry], listed: manifest.Manifest) -> dict[str, str]:
    known = {entry.key: digest for entry in entries if (digest := listed.sha256(entry))}
    unknown = [entry.key for entry in entries if entry.key not in known]
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        found = pool.map(lambda key: hashlib.sha256(store.read(key)).hexdigest(), unknown)
        return known | dict(zip(unknown, found, strict=True))


def _look(scenes: Scenes, part: tuple[int, int]) -> None:
    """Read this process's share of the pictures once, so that what is wrong with one is said before any training."""
    rank, size = part
    mine = (scenes.training + scenes.held_out)[rank::size]
    with Progress(len(mine), "pictures", "Reading pictures") as progress, ThreadPoolExecutor(CONNECTIONS) as pool:
        for _ in pool.map(scenes.picture, mine):
            progress.advance()


def decoded(content: bytes, size: tuple[int, int], name: str) -> Picture:
    """Read a picture and make it ``size`` (width, height). Raises BadInput for what is none."""
    try:
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if content else None
    except cv2.error:
        pixels = None
    if pixels is None:
        raise BadInput(f"{name} cannot be read as a picture; replace or remove it, with its label.")
    height, width, _ = pixels.shape
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return Picture(np.ascontiguousarray(small[:, :, ::-1]), (width, height))


def normalised(pictures: Iterable[Pixels]) -> npt.NDArray[np.float32]:
    """Return what the network takes, [N, 3, height, width]."""
    whole = np.stack(list(pictures)).astype(np.float32) / 255
    scaled = (whole - np.array(MEAN, np.float32)) / np.array(SPREAD, np.float32)
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))


def preprocessing(size: tuple[int, int]) -> dict[str, object]:
    """What tells pictures prepared in this way from others."""
    return {"size": list(size), "mean": list(MEAN), "spread": list(SPREAD), "resize": "area"}


def lineage(run: RunFile | None, scenes: Scenes) -> Dataset:
    """The pictures as MLflow's Dataset tab shows them."""
    width, height = scenes.size
    counts = {"training": len(scenes.training), "held_out": len(scenes.held_out)}
    schema = tensor_schema(Tensor("pictures", "uint8", (-1, height, width, 3)))
    return dataset(run, scenes.store.url, scenes.digest, profile=counts, schema=schema)


def _text(label: Label) -> str:
    return json.dumps([label.lanes.tolist(), label.heights.tolist()])
