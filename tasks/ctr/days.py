"""Finding the days of a click log and reading parts of them, from a folder or a bucket.

A day is one file as published (``day_0``, ``day_0.gz``, or any ``*.tsv`` or ``*.txt``, plain or compressed), or Parquet
as ``tasks.ctr.convert`` leaves it: ``day_0.parquet`` or a folder ``day_0/`` of Parquet files.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import io
import itertools
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.common.data import S3Store, Store, open_source
from tasks.common.program import BadInput

TEXT, GZIP, PARQUET = "text", "gzip", "parquet"
CHUNK = 8 << 20  # bytes of text in memory at a time
_LONGEST_LINE = 1 << 20
_TEXT_NAME = re.compile(r"(day_?\d+|.+\.(?:tsv|txt))(\.gz)?", re.IGNORECASE)
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True)
class File:
    key: str
    size: int
    kind: str


@dataclass(frozen=True)
class Day:
    """``files`` has one file of text or any number of Parquet files, in the order of their rows."""

    name: str
    url: str
    files: tuple[File, ...]

    @property
    def kind(self) -> str:
        return self.files[0].kind

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


@dataclass(frozen=True)
class Part:
    """What one task reads: the lines that begin in bytes ``start`` to ``stop`` of a text file, or the row groups
    ``start`` to ``stop`` of a Parquet file."""

    url: str
    file: File
    start: int
    stop: int


def find_days(url: str, wanted: Sequence[str] = ()) -> list[Day]:
    """All days under ``url``, in order of their numbers, or those named, each name maybe several joined by commas.

    Raises BadInput when there are none.
    """
    wanted = [name for names in wanted for name in names.split(",") if name]
    found: dict[str, list[File]] = {}
    for entry in open_source(url).entries():
        if told := _recognise(entry.key):
            found.setdefault(told[0], []).append(File(entry.key, entry.size, told[1]))
    if not found:
        raise BadInput(
            f"There are no click logs under {url}: expected files such as day_0, day_0.gz, train.txt or day_0.parquet."
        )
    days = [_day(name, url, files) for name, files in found.items()]
    days.sort(key=lambda day: _natural(day.name))
    if not wanted:
        return days
    missing = sorted(set(wanted) - set(found))
    if missing:
        names = ", ".join(day.name for day in days[:8])
        raise BadInput(f"There is no {missing[0]} under {url}; there are {names}{', ...' if len(days) > 8 else ''}.")
    return [day for day in days if day.name in wanted]


def listing(days: Sequence[Day]) -> str:
    """SHA-256 over the names and sizes of the days' files."""
    return hashlib.sha256(repr([(file.key, file.size) for day in days for file in day.files]).encode()).hexdigest()


def _recognise(key: str) -> tuple[str, str] | None:
    """Return the day a file belongs to and its kind; None for a file that is none of ours."""
    path = Path(key)
    if path.suffix == ".parquet":
        in_day = path.parent.name and re.fullmatch(r"part-\d+", path.stem)
        return (path.parent.name if in_day else path.stem), PARQUET
    told = _TEXT_NAME.fullmatch(path.name)
    if told is None:
        return None
    return Path(told[1]).stem, GZIP if told[2] else TEXT


def _day(name: str, url: str, files: list[File]) -> Day:
    kinds = {file.kind for file in files}
    if len(kinds) > 1 or (kinds != {PARQUET} and len(files) > 1):
        listed = ", ".join(file.key for file in files[:4])
        raise BadInput(f"{name} is there more than once under {url} ({listed}): keep one, or name another folder.")
    return Day(name, url, tuple(sorted(files, key=lambda file: _natural(file.key))))


def _natural(name: str) -> tuple[str, list[int]]:
    return _NUMBER.sub("#", name), [int(number) for number in _NUMBER.findall(name)]


def parts_of(day: Day, part_bytes: int) -> list[Part]:
    """In order of rows. A compressed file cannot be entered in the middle, so it is one part however long it is."""
    if day.kind == PARQUET:
        return [part for file in day.files for part in _row_groups(day.url, file, part_bytes)]
    file = day.files[0]
    if day.kind == GZIP:
        return [Part(day.url, file, 0, file.size)]
    count = max(1, round(file.size / part_bytes))
    cuts = [file.size * number // count for number in range(count + 1)]
    return [Part(day.url, file, start, stop) for start, stop in itertools.pairwise(cuts)]


def _row_groups(url: str, file: File, part_bytes: int) -> Iterator[Part]:
    with parquet_file(url, file) as opened:
        facts = opened.metadata
        start, held = 0, 0
        for group in range(facts.num_row_groups):
            held += facts.row_group(group).total_byte_size
            if held >= part_bytes or group == facts.num_row_groups - 1:
                yield Part(url, file, start, group + 1)
                start, held = group + 1, 0


def lines_of(part: Part) -> Iterator[bytes]:
    """Yield the part's whole lines, some CHUNK bytes at a time."""
    if part.file.kind == GZIP:
        yield from _whole_lines(_decompressed(part))
    else:
        yield from _whole_lines(_range(part))


def _range(part: Part) -> Iterator[bytes]:
    """Bytes of the lines that begin in the part: from after the first newline at ``start`` - 1 or later, to the end of
    the line that reaches ``stop``."""
    store, key, size = _store(part.url), part.file.key, part.file.size
    at = max(part.start - 1, 0)
    inside = part.start == 0
    while at < part.stop:
        content = read_range(store, key, at, min(CHUNK, part.stop - at))
        at += len(content)
        if not inside:
            cut = content.find(b"\n") + 1
            inside, content = cut > 0, content[cut:] if cut else b""
        if content:
            yield content
        last = content[-1:] or b""
    if not inside:
        return
    while last != b"\n" and at < size:
        content = read_range(store, key, at, min(1 << 16, size - at))
        cut = content.find(b"\n") + 1
        yield content[:cut] if cut else content
        at += len(content)
        last = b"\n" if cut else b""


def _decompressed(part: Part) -> Iterator[bytes]:
    try:
        with gzip.GzipFile(fileobj=open_file(part.url, part.file)) as stream:
            while content := stream.read(CHUNK):
                yield content
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise BadInput(f"{part.file.key} under {part.url} is damaged ({error}); fetch it again.") from error


def _whole_lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield whole lines; one without end is cut into pieces, which are malformed, so that it cannot fill the memory."""
    rest = b""
    for piece in pieces:
        cut = piece.rfind(b"\n") + 1
        if not cut and len(rest) + len(piece) < _LONGEST_LINE:
            rest += piece
            continue
        yield rest + piece[:cut] if cut else rest + piece
        rest = piece[cut:] if cut else b""
    if rest:
        yield rest


@functools.lru_cache(maxsize=8)
def _store(url: str) -> Store:
    return open_source(url)


def read_range(store: Store, key: str, start: int, length: int) -> bytes:
    """Exactly that range. Raises OSError when the file has become shorter than it was listed."""
    if isinstance(store, S3Store):
        content = store.read_range(key, start, length)
    else:
        with (Path(store.url) / key).open("rb", buffering=0) as file:
            file.seek(start)
            content = _read_all(file, length)
    if len(content) != length:
        raise OSError(f"{key} under {store.url} became shorter while it was read")
    return content


def _read_all(file: Any, length: int) -> bytes:
    """Read on: a raw read may give less than asked for, on a network file system for example."""
    first = file.read(length)
    while len(first) < length and (more := file.read(length - len(first))):
        first += more
    return first


class _Ranges(io.RawIOBase):
    """A file in a store as Python's raw file, each read being one request."""

    def __init__(self, store: Store, file: File) -> None:
        self._of, self._file, self._at = store, file, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = (0, self._at, self._file.size)[whence]
        self._at = base + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        length = max(0, min(len(buffer), self._file.size - self._at))
        if length:
            buffer[:length] = read_range(self._of, self._file.key, self._at, length)
            self._at += length
        return length


def open_file(url: str, file: File) -> io.BufferedIOBase:
    """For readers that want a file of their own."""
    store = _store(url)
    if isinstance(store, S3Store):
        return io.BufferedReader(_Ranges(store, file), CHUNK)
    return (Path(store.url) / file.key).open("rb")


def parquet_file(url: str, file: File) -> Any:
    import pyarrow
    import pyarrow.parquet

    try:
        return pyarrow.parquet.ParquetFile(open_file(url, file))
    except pyarrow.ArrowInvalid as error:
        raise BadInput(f"{file.key} under {url} is no Parquet file ({error}); convert the day again.") from error
