"""Reading parts of days, from a folder or a bucket: whole lines of text, ranges of bytes, Parquet."""

from __future__ import annotations

import functools
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from tasks.common.data import S3Store, Store, open_source
from tasks.common.listing import shown
from tasks.common.program import BadInput, TryAgain

TEXT, GZIP, PARQUET = "text", "gzip", "parquet"
TABLE = "table"  # Parquet that convert has not written: nothing about its values is known
CHUNK = 8 << 20  # bytes of text in memory at a time
_LONGEST_LINE = 1 << 20
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class BecameShorter(TryAgain, OSError):
    """Somebody writes to a file while it is read."""


@dataclass(frozen=True)
class File:
    """``mark`` says which content it is, as far as listing tells: a time, an ETag, or a digest of the manifest."""

    key: str
    size: int
    kind: str
    mark: str = ""


@dataclass(frozen=True)
class Part:
    """What one task reads: the lines that begin in bytes ``start`` to ``stop`` of a text file, or the row groups
    ``start`` to ``stop`` of a Parquet file."""

    url: str
    file: File
    start: int
    stop: int


@dataclass(frozen=True)
class Day:
    """``files`` has one file of text or any number of Parquet files, in the order of their rows.

    ``source`` is of a day that convert has written: the fingerprint of what it was made from.
    """

    name: str
    url: str
    files: tuple[File, ...]
    source: str = ""

    @property
    def kind(self) -> str:
        return self.files[0].kind

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


def lines_of(part: Part) -> Iterator[bytes]:
    """Yield the part's whole lines, some CHUNK bytes at a time, without a byte order mark before the first."""
    pieces = _decompressed(part) if part.file.kind == GZIP else _range(part)
    yield from _whole_lines(_without_mark(pieces) if part.start == 0 else pieces)


def _without_mark(pieces: Iterator[bytes]) -> Iterator[bytes]:
    for first in pieces:
        yield first.removeprefix(_BYTE_ORDER_MARK)
        break
    yield from pieces


def _range(part: Part) -> Iterator[bytes]:
    """Bytes of the lines that begin in the part: from after the first newline at ``start`` - 1 or later, to the end of
    the line that reaches ``stop``."""
    store, key, size = store_of(part.url), part.file.key, part.file.size
    at = max(part.start - 1, 0)
    inside, last = part.start == 0, b""
    while at < part.stop:
        content = read_range(store, key, at, min(CHUNK, part.stop - at))
        at += len(content)
        if not inside:
            cut = content.find(b"\n") + 1
            inside, content = cut > 0, content[cut:] if cut else b""
        if content:
            yield content
        last = content[-1:]
    if not inside:
        return
    while last != b"\n" and at < size:
        content = read_range(store, key, at, min(1 << 16, size - at))
        cut = content.find(b"\n") + 1
        yield content[:cut] if cut else content
        at += len(content)
        last = b"\n" if cut else b""


def _decompressed(part: Part) -> Iterator[bytes]:
    with unpacked(part.url, part.file) as stream:
        while content := stream.read(CHUNK):
            yield content


@contextmanager
def unpacked(url: str, file: File) -> Iterator[gzip.GzipFile]:
    """A compressed file's content. Raises BadInput where it is damaged, also while it is read."""
    try:
        with open_file(url, file) as packed, gzip.GzipFile(fileobj=packed) as stream:
            yield stream
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise BadInput(f"{file.key} under {url} is damaged ({error}); fetch it again.") from error


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
def store_of(url: str) -> Store:
    return open_source(url)


def read_range(store: Store, key: str, start: int, length: int) -> bytes:
    """Exactly that range. Raises BecameShorter when the file has become shorter than it was listed."""
    if isinstance(store, S3Store):
        content = store.read_range(key, start, length)
    else:
        with _opened(store, key, buffering=0) as file:
            file.seek(start)
            content = _read_all(file, length)
    if len(content) != length:
        raise BecameShorter(f"{key} under {store.url} became shorter while it was read; run it again.")
    return content


def _opened(store: Store, key: str, buffering: int = -1) -> Any:
    path = Path(store.url) / key
    try:
        return path.open("rb", buffering=buffering)
    except (FileNotFoundError, PermissionError) as error:
        raise BadInput(f"{shown(str(path))} cannot be read: {error.strerror}.") from None


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
    store = store_of(url)
    if isinstance(store, S3Store):
        return io.BufferedReader(_Ranges(store, file), CHUNK)
    return cast(io.BufferedIOBase, _opened(store, file.key))


@contextmanager
def parquet_file(url: str, file: File) -> Iterator[Any]:
    """A pyarrow ParquetFile. Raises BadInput where the file is none or damaged, also while it is read."""
    import pyarrow
    import pyarrow.parquet

    try:
        with open_file(url, file) as opened, pyarrow.parquet.ParquetFile(opened) as parquet:
            yield parquet
    except (pyarrow.ArrowException, OSError) as error:
        if isinstance(error, BecameShorter) or (isinstance(error, OSError) and error.errno is not None):
            raise  # the storage's fault, not the file's
        said = " ".join(str(error).split())
        raise BadInput(
            f"{file.key} under {url} is no Parquet file, or damaged ({said}); convert the day again."
        ) from error
