"""Chest X-rays in NIH's layout, from a folder or bucket prefix: pictures with findings, parted by patient."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePosixPath

import numpy as np
import numpy.typing as npt

from tasks.chest import table
from tasks.chest.findings import FINDINGS
from tasks.chest.preprocessing import IsDicom, NotAPicture, Picture, Pixels, decode, normalise
from tasks.chest.table import Row, Table
from tasks.common import manifest
from tasks.common.ahead import ahead, read_ahead
from tasks.common.data import Entry, Store
from tasks.common.lineage import Dataset, dataset, tensor_schema
from tasks.common.listing import only_data
from tasks.common.manifest import Manifest
from tasks.common.model_folder import Tensor
from tasks.common.program import BadInput
from tasks.common.progress import Progress, say
from tasks.common.run_file import RunFile

CONNECTIONS = 32  # pictures read at once: over a network most of them are only waited for
CACHE_BYTES = 1 << 30  # of decoded pictures; the rest is read again each epoch
CORRUPT_SHARE = 0.01
TRAINING, HELD_OUT = "training", "held_out"
_SHOWN = 3


@dataclass(frozen=True)
class Example:
    """One readable picture; ``pixels`` [side, side] while there is room to keep them."""

    key: str
    patient: str
    findings: frozenset[str]
    digest: str
    pixels: Pixels | None = None


@dataclass(frozen=True)
class Asked:
    """What to read. ``limit`` takes about so many pictures, whole patients, the same ones of the same data; 0: all.

    ``partial`` lets rows pass whose pictures are not there, as of a download that was not finished.
    """

    side: int
    limit: int = 0
    partial: bool = False
    corrupt_share: float = CORRUPT_SHARE
    connections: int = CONNECTIONS
    parts: tuple[str, ...] = (TRAINING, HELD_OUT)


@dataclass(frozen=True)
class XRays:
    """``seconds`` that listing and reading took, ``bytes`` read; ``inverted`` are keys of pictures turned back."""

    store: Store
    side: int
    training: list[Example]
    held_out: list[Example]
    corrupt: list[str]
    inverted: list[str]
    official: bool
    digest: str
    seconds: float = 0.0
    bytes: int = 0


def load(store: Store, asked: Asked) -> XRays:
    """Read the pictures of the parts asked for. Raises BadInput, in one sentence, for data that cannot be meant."""
    began = time.monotonic()
    entries = only_data(store.entries(), store.url)
    told = table.read(store, entries)
    chosen = _limited(told.rows, asked.limit)
    pictures = _pictures(store, entries, told, chosen, asked)
    there = [row for row in chosen if row.picture in pictures and _part(told, row) in asked.parts]
    wanted = [(row, pictures[row.picture]) for row in there]
    listed = manifest.of(store.url)
    found = XRays(store, asked.side, [], [], [], [], told.official, _digest(store, entries, told, listed))
    room, read = CACHE_BYTES, 0
    for (row, entry), seen in zip(wanted, _examined(store, wanted, asked, listed), strict=True):
        read += entry.size
        if seen.picture is None:
            found.corrupt.append(f"{entry.key}: {seen.reason}")
            continue
        room -= seen.picture.pixels.nbytes
        if seen.picture.inverted:
            found.inverted.append(entry.key)
        kept = seen.picture.pixels if room >= 0 else None
        example = Example(entry.key, row.patient, row.findings, seen.digest, kept)
        (found.held_out if _part(told, row) == HELD_OUT else found.training).append(example)
    _check(found, len(wanted), asked)
    return replace(found, seconds=round(time.monotonic() - began, 3), bytes=read)


def truth(examples: Sequence[Example]) -> npt.NDArray[np.float32]:
    """[N, findings]: 1 where a picture shows the finding."""
    return np.array([[name in example.findings for name in FINDINGS] for example in examples], np.float32)


def batches(
    xrays: XRays, examples: Sequence[Example], size: int, connections: int = CONNECTIONS
) -> Iterator[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]:
    """Normalised pictures [N, 1, side, side] with their truth [N, findings], in the given order."""
    pixels = _pixels(xrays, examples, connections)

    def batch(group: Sequence[Example], taken: list[Pixels]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        return normalise(np.stack(taken)), truth(group)

    groups = (examples[start : start + size] for start in range(0, len(examples), size))
    yield from ahead((partial(batch, group, [next(pixels) for _ in group]) for group in groups), threads=1, depth=2)


def lineage(run: RunFile | None, xrays: XRays) -> Dataset:
    """The pictures as MLflow's Dataset tab shows them."""
    counts = {"training": len(xrays.training), "held_out": len(xrays.held_out), "corrupt": len(xrays.corrupt)}
    schema = tensor_schema(Tensor("pictures", "uint8", (-1, xrays.side, xrays.side)))
    return dataset(run, xrays.store.url, xrays.digest, profile=counts, schema=schema)


def patients(examples: Sequence[Example]) -> frozenset[str]:
    return frozenset(example.patient for example in examples)


def _pixels(xrays: XRays, examples: Sequence[Example], connections: int) -> Iterator[Pixels]:
    def decoded(content: bytes) -> Pixels:
        return decode(content, xrays.side).pixels

    absent = read_ahead(xrays.store, [e.key for e in examples if e.pixels is None], connections, decoded)
    for example in examples:
        yield next(absent)[1] if example.pixels is None else example.pixels


def _part(told: Table, row: Row) -> str:
    return HELD_OUT if row.patient in told.held_out else TRAINING


def _limited(rows: Sequence[Row], limit: int) -> list[Row]:
    if not limit or limit >= len(rows):
        return list(rows)
    counts = Counter(row.patient for row in rows)
    chosen: set[str] = set()
    left = limit
    for patient in sorted(counts, key=lambda patient: hashlib.sha256(patient.encode()).digest()):
        if left <= 0:
            break
        chosen.add(patient)
        left -= counts[patient]
    return [row for row in rows if row.patient in chosen]


def _pictures(
    store: Store, entries: Sequence[Entry], told: Table, chosen: Sequence[Row], asked: Asked
) -> dict[str, Entry]:
    """Each picture by its file's name. Raises BadInput for a row that has none, unless ``partial``."""
    found: dict[str, Entry] = {}
    for entry in entries:
        name = PurePosixPath(entry.key).name
        if not name.lower().endswith(".png"):
            continue
        if name in found:
            raise BadInput(f"{name} is there twice under {store.url}: {found[name].key} and {entry.key}; keep one.")
        found[name] = entry
    _check_dicom(store, entries)
    missing = [row for row in chosen if row.picture not in found]
    if missing and not asked.partial:
        raise BadInput(
            f"{told.name}, line {missing[0].line}, names {missing[0].picture}, of which there is no file under "
            f"{store.url} ({len(missing)} of {len(chosen)} rows): add the pictures, or say that the rest will do "
            "(partial)."
        )
    known = {row.picture for row in told.rows}
    unknown = sorted(name for name in found if name not in known)
    if missing or unknown:
        say(f"Left out: {len(missing)} rows without a picture, {len(unknown)} pictures without a row in {told.name}.")
    return found


def _check_dicom(store: Store, entries: Sequence[Entry]) -> None:
    dicom = [entry.key for entry in entries if entry.key.lower().endswith((".dcm", ".dicom"))]
    if dicom:
        raise _is_dicom(store, dicom[0], len(dicom))


def _is_dicom(store: Store, key: str, count: int) -> BadInput:
    more = f" ({count} such files)" if count > 1 else ""
    return BadInput(
        f"{store.url.rstrip('/')}/{key} is DICOM where PNG is expected{more}: convert it to a grey PNG by its own "
        "window and photometric interpretation, such as with `dcm2img` of DCMTK."
    )


@dataclass(frozen=True)
class _Examined:
    digest: str
    picture: Picture | None = None
    reason: str = ""


def _examined(store: Store, wanted: Sequence[tuple[Row, Entry]], asked: Asked, listed: Manifest) -> Iterator[_Examined]:
    def examine(entry: Entry) -> _Examined:
        content = store.read(entry.key)
        digest = listed.sha256(entry) or hashlib.sha256(content).hexdigest()
        try:
            return _Examined(digest, decode(content, asked.side))
        except IsDicom:
            raise _is_dicom(store, entry.key, 1) from None
        except NotAPicture as error:
            return _Examined(digest, reason=str(error))

    calls = (partial(examine, entry) for _, entry in wanted)
    with Progress(len(wanted), "pictures", "Reading pictures") as progress:
        for seen in ahead(calls, threads=asked.connections, depth=2 * asked.connections):
            progress.advance()
            yield seen


def _digest(store: Store, entries: Sequence[Entry], told: Table, listed: Manifest) -> str:
    """Of table, lists and every picture's name and size: equal for equal data, wherever it lies."""
    whole = hashlib.sha256()
    for key in told.files:
        whole.update(hashlib.sha256(store.read(key)).digest())
    for entry in entries:
        if entry.key.lower().endswith(".png"):
            whole.update(f"{entry.key} {entry.size} {listed.sha256(entry) or ''}\n".encode())
    return whole.hexdigest()


def _check(found: XRays, total: int, asked: Asked) -> None:
    where, corrupt = found.store.url, found.corrupt
    if corrupt:
        said = f"{len(corrupt)} of {total} pictures under {where} cannot be read: {'; '.join(corrupt[:_SHOWN])}"
        if len(corrupt) > asked.corrupt_share * total:
            raise BadInput(f"{said}. Mend or remove them, or raise --corrupt-share above {asked.corrupt_share:g}.")
        say(f"Left out: {said}.")
    if found.inverted:
        names = ", ".join(found.inverted[:_SHOWN])
        say(f"{len(found.inverted)} pictures have bone dark, as MONOCHROME1 does, and were turned back: {names}.")
    for part, examples in ((TRAINING, found.training), (HELD_OUT, found.held_out)):
        if part in asked.parts and not examples:
            raise BadInput(f"No picture under {where} is in the {part.replace('_', '-')} part: add patients to it.")
    if TRAINING in asked.parts and not truth(found.training).any():
        raise BadInput(f"None of the {len(found.training)} pictures to train on under {where} shows any finding.")
