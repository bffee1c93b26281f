"""Sample pictures, tables and texts of a dataset version, read from its own files inside its snapshot.

The snapshot is looked at where the SVM's namespace is mounted on this machine: ``.snapshot/<name>`` below the volume's
junction. Every step below that folder is taken without following links, so no name in the data leads out of it. What is
read is small, and a picture is given out only where its first bytes are those of the type that its name claims.
"""

from __future__ import annotations

import csv
import io
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ontap_mlops import settings
from ontap_mlops.ui.facts.shapes import Sample, Samples, Version

PICTURES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}
TABLES = (".csv", ".tsv")
TEXTS = (".txt", ".md", ".json", ".jsonl")
PICTURE_BYTES = 8 * 2**20
"""Of the largest picture that is shown."""
TEXT_BYTES = 4096
SHOWN, PER_FOLDER = 12, 4
_LOOKED_AT = 2000  # entries of one folder
_DEEPEST = 4
_ROWS, _COLUMNS, _CELL = 6, 12, 60
_MAGIC = {"image/png": (b"\x89PNG\r\n\x1a\n",), "image/jpeg": (b"\xff\xd8\xff",)}
_SNAPSHOT = re.compile(r"[\w.:@+=,~-]{1,255}", re.ASCII)


class NoSample(Exception):
    """There is none, or none that may be shown; the text says why."""


def root_of(svm: str) -> Path:
    """Where the namespace of the SVM is mounted here. Raises NoSample where nobody has said."""
    told = settings.hub_namespace_roots()
    root = told.get(svm) or told.get("default")
    if root is None:
        raise NoSample(
            "Nobody has said where the volumes are mounted on the machine of Airflow's API server, so no samples are "
            f"shown: set [{settings.SECTION}] hub_namespace_roots."
        )
    return root


def data_folder(svm: str, junction_path: str | None, snapshot: str) -> Path:
    """The folder ``data`` of a version. Raises NoSample where it cannot be read here."""
    if not junction_path or ".." in junction_path.split("/"):
        raise NoSample("The dataset's volume is mounted nowhere in the SVM's namespace.")
    if not _SNAPSHOT.fullmatch(snapshot) or snapshot in (".", ".."):
        raise NoSample(f"{snapshot!r} is no name of a snapshot.")
    folder = root_of(svm) / junction_path.strip("/") / ".snapshot" / snapshot / "data"
    if not folder.is_dir():
        raise NoSample("The version cannot be read on the machine of Airflow's API server: its mount is not there.")
    return folder


def samples(dataset: str, version: Version, folder: Path) -> Samples:
    """Return up to ``SHOWN``, a few from each folder; the same files again for a version that still has them."""
    found: list[Sample] = []
    for path in _candidates(folder):
        try:
            found.append(_sample(folder, path))
        except (NoSample, OSError):
            continue
        if len(found) >= SHOWN:
            break
    reason = "" if found else "This version has no PNG or JPEG pictures, tables or texts near its top."
    return Samples(dataset=dataset, version=version.id, samples=found, reason=reason)


def picture(folder: Path, path: str) -> tuple[bytes, str]:
    """Return a picture's bytes and media type. Raises NoSample for anything else."""
    kind = PICTURES.get(Path(path).suffix.lower())
    if kind is None:
        raise NoSample("Only PNG and JPEG pictures are shown.")
    body = read(folder, path, PICTURE_BYTES)
    if not body.startswith(_MAGIC[kind]):
        raise NoSample(f"{path} is no picture of the type that its name claims.")
    return body, kind


def read(folder: Path, path: str, most: int, *, beginning: bool = False) -> bytes:
    """Return a regular file's bytes, or its beginning. Raises NoSample for a path or a size that is not allowed."""
    with _opened(folder, path) as handle:
        size = os.fstat(handle).st_size
        if size > most and not beginning:
            raise NoSample(f"{path} has {size / 1e6:.1f} MB; up to {most / 1e6:.1f} MB are shown.")
        return os.read(handle, most)


@contextmanager
def _opened(folder: Path, path: str) -> Iterator[int]:
    """A regular file, reached from the folder step by step, none of them a link."""
    parts = path.split("/")
    if not path or "\0" in path or any(part in ("", ".", "..") for part in parts):
        raise NoSample(f"{path!r} is no path of a file in the data.")
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for index, part in enumerate(parts):
            last = index == len(parts) - 1
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | (0 if last else os.O_DIRECTORY)
            try:
                inner = os.open(part, flags, dir_fd=handle)
            except OSError:
                raise NoSample(f"The version has no file {path!r} that can be shown.") from None
            os.close(handle)
            handle = inner
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise NoSample(f"{path!r} is no file.")
        yield handle
    finally:
        os.close(handle)


def _candidates(folder: Path) -> Iterator[str]:
    """Paths of files that may be shown, a few of each folder, breadth first; no link is followed."""
    pending = [("", 0)]
    while pending:
        inner, depth = pending.pop(0)
        files, folders = _entries(folder / inner if inner else folder)
        prefix = f"{inner}/" if inner else ""
        yield from (prefix + name for name in files[:PER_FOLDER])
        if depth < _DEEPEST:
            pending += [(prefix + name, depth + 1) for name in folders[:SHOWN]]


def _entries(folder: Path) -> tuple[list[str], list[str]]:
    files, folders = [], []
    with os.scandir(folder) as entries:
        for _, entry in zip(range(_LOOKED_AT), entries, strict=False):
            if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
                folders.append(entry.name)
            elif entry.is_file(follow_symlinks=False) and _kind(entry.name):
                files.append(entry.name)
    return sorted(files), sorted(folders)


def _kind(name: str) -> str:
    suffix = Path(name).suffix.lower()
    return "picture" if suffix in PICTURES else "table" if suffix in TABLES else "text" if suffix in TEXTS else ""


def _sample(folder: Path, path: str) -> Sample:
    with _opened(folder, path) as handle:
        size = os.fstat(handle).st_size
    kind = _kind(path)
    if kind == "picture":
        if size > PICTURE_BYTES:
            raise NoSample(path)
        return Sample(path=path, kind="picture", bytes=size)
    text = read(folder, path, TEXT_BYTES, beginning=True).decode("utf-8", "replace")
    if kind == "table":
        return Sample(path=path, kind="table", bytes=size, rows=_rows(text, "\t" if path.endswith("tsv") else ","))
    return Sample(path=path, kind="text", bytes=size, text=text[:1000])


def _rows(text: str, delimiter: str) -> list[list[str]]:
    whole = text.rpartition("\n")[0] or text  # the last line may be cut
    rows = csv.reader(io.StringIO(whole), delimiter=delimiter)
    try:
        return [[cell[:_CELL] for cell in row[:_COLUMNS]] for _, row in zip(range(_ROWS), rows, strict=False)]
    except csv.Error:
        return []
