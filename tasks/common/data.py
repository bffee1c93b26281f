"""Data by path or by ``s3://bucket/prefix`` URL, behind the same few calls."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import obstore

from tasks.common.listing import IGNORED_FOLDERS, is_data, make_folder, readable, shown, walk
from tasks.common.program import BadInput
from tasks.common.result import write_whole
from tasks.common.s3 import Absent, connect, listed, put_streamed, s3_errors
from tasks.common.s3_url import is_s3, place_of

HELD = 16 << 20  # bytes of a file up to which it is read into memory to be sent
PART, MOST_PARTS = 16 << 20, 9_000  # of a multipart upload; S3 takes 10,000


Piece = bytes | obstore.Bytes  # the latter is memory of obstore's own, which anything that takes a buffer reads


@dataclass(frozen=True, order=True)
class Entry:
    """One file: ``key`` relative to the store, with ``/``; ``modified`` in seconds since 1970; ``etag`` S3 only."""

    key: str
    size: int
    modified: float
    etag: str = ""


class Store(Protocol):
    """A folder or a bucket prefix. Every call may come from any thread."""

    url: str

    def entries(self) -> list[Entry]:
        """All files, sorted by key, without the ignored folders."""

    def read(self, key: str) -> bytes: ...

    def write(self, key: str, content: bytes) -> None:
        """Create or replace, whole or not at all."""

    def delete(self, key: str) -> None:
        """Remove; a file already gone is no error."""


def open_source(url: str, connections: int = 16) -> Store:
    """Open data to read. Raises BadInput for a folder that is not there or a URL that is none of ours."""
    if not is_s3(url):
        if not Path(url).is_dir():
            raise BadInput(
                f"The data folder {url} does not exist; name an existing folder or an s3://bucket/prefix URL."
            )
        return LocalStore(url)
    return S3Store(url, connections)


def open_target(url: str, connections: int = 16) -> Store:
    """Open a place to write to; a folder is made if it is not there, a bucket must exist."""
    if is_s3(url):
        return S3Store(url, connections)
    make_folder(Path(url))
    return LocalStore(url)


def read_url(url: str) -> bytes:
    """One file or one object. Raises BadInput when it is not there."""
    if is_s3(url):
        parent, _, name = url.rpartition("/")
        if not name:
            raise BadInput(f"{url} names a folder, not an object.")
        return S3Store(parent, connections=1).read(name)
    path = Path(url)
    return LocalStore(str(path.parent)).read(path.name)


class LocalStore:
    def __init__(self, url: str) -> None:
        self.url = url
        self._root = Path(url)

    def entries(self) -> list[Entry]:
        """Links are followed. Raises BadInput for a name that is no file to read, unless it is hidden."""
        found = (readable(local) if is_data(local.key) else local for local in walk(self._root, follow=True))
        return sorted(Entry(local.key, max(0, local.size), local.mtime_ns / 1e9) for local in found)

    def read(self, key: str) -> bytes:
        try:
            return (self._root / key).read_bytes()
        except FileNotFoundError:
            raise BadInput(f"{self._root / key} does not exist.") from None
        except PermissionError as error:
            raise BadInput(f"{shown(str(self._root / key))} cannot be read: {error.strerror}.") from None

    def write(self, key: str, content: bytes) -> None:
        write_whole(self._root / key, content)

    def delete(self, key: str) -> None:
        (self._root / key).unlink(missing_ok=True)


class S3Store:
    """A bucket prefix, at AWS_ENDPOINT_URL_S3 if that is set; objects are sent in one request each.

    One request per object, since ONTAP's buckets over NAS volumes refuse multipart uploads in many versions.
    """

    def __init__(self, url: str, connections: int = 16) -> None:
        self.bucket, self.prefix = place_of(url)
        self.url = url
        self.connections = connections
        self.objects = connect(self.bucket, connections)

    def entries(self) -> list[Entry]:
        with s3_errors("list", self.url):
            items = listed(self.objects, self.bucket, self.prefix)
            every = [entry for item in items if (entry := self._entry(item)).key]
        # A folder's marker, "good/", is listed as "good" too: an object of that name goes before it.
        found = {entry.key: entry for entry in sorted(every, key=lambda entry: entry.size)}
        kept = [e for e in found.values() if not IGNORED_FOLDERS & set(e.key.split("/")[:-1])]
        return sorted(e for e in kept if e.size or self.holds(e.key))

    def _entry(self, item: Any) -> Entry:
        key = item["path"][len(self.prefix) :]
        return Entry(key, item["size"], item["last_modified"].timestamp(), (item["e_tag"] or "").strip('"'))

    def holds(self, key: str) -> bool:
        """Whether there is such an object: the marker of a folder, "good/", is listed as "good" but is not there."""
        try:
            with s3_errors("read", self.name_of(key)):
                obstore.head(self.objects, self.prefix + key)
        except Absent:
            return False
        return True

    def is_folder(self, key: str) -> bool:
        """Whether what is listed as ``key`` is an object whose name ends with a slash: no client here can read it."""
        with s3_errors("list", self.name_of(f"{key}/")):
            items = listed(self.objects, self.bucket, f"{self.prefix}{key}/")
            return any(item["path"] == self.prefix + key for item in items)

    def read(self, key: str) -> bytes:
        with s3_errors("read", self.name_of(key)):
            return obstore.get(self.objects, self.prefix + key).bytes().to_bytes()

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Exactly these bytes. Raises S3Failed where the object ends before them."""
        if not length:
            return b""
        with s3_errors("read", self.name_of(key)):
            return obstore.get_range(self.objects, self.prefix + key, start=start, length=length).to_bytes()

    def read_ranges(self, key: str, spans: Sequence[tuple[int, int]]) -> list[Piece]:
        """Exactly these bytes, from start and length of each, by as many requests at once."""
        starts, lengths = [start for start, _ in spans], [length for _, length in spans]
        with s3_errors("read", self.name_of(key)):
            pieces = obstore.get_ranges(self.objects, self.prefix + key, starts=starts, lengths=lengths, coalesce=0)
        return list(pieces)

    def write(self, key: str, content: bytes) -> None:
        with s3_errors("write", self.name_of(key)):
            obstore.put(self.objects, self.prefix + key, content, use_multipart=False)

    def send(self, key: str, path: Path, md5: str, *, multipart: bool = False) -> str:
        """Create or replace an object from a file whose MD5 is known, in hex digits. Returns its ETag.

        In one request unless ``multipart``, then in parts. Little of the file is held in memory either way.
        """
        size = path.stat().st_size
        with s3_errors("write", self.name_of(key)), path.open("rb") as file:
            if size > HELD and not multipart:
                return put_streamed(self.bucket, self.prefix + key, file, bytes.fromhex(md5))
            part = max(PART, size // MOST_PARTS + 1)
            told = obstore.put(
                self.objects, self.prefix + key, file, use_multipart=multipart, chunk_size=part, max_concurrency=4
            )
        return (told["e_tag"] or "").strip('"')

    def delete(self, key: str) -> None:
        with s3_errors("delete", self.name_of(key)), suppress(FileNotFoundError):
            obstore.delete(self.objects, self.prefix + key)

    def name_of(self, key: str) -> str:
        return f"s3://{self.bucket}/{self.prefix}{key}"
