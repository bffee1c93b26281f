"""One file from a bucket to a folder, or back: whole, read again after it arrived, and tried again when spoilt."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tasks.common.data import Entry, Piece, S3Store
from tasks.common.listing import Local
from tasks.common.program import BadInput, TryAgain
from tasks.common.progress import say
from tasks.common.s3 import Absent, S3Failed
from tasks.data.folder import Folder

SMALL = 8 << 20  # bytes up to which an object is fetched in one request
RANGE, AT_ONCE = 1 << 20, 8  # bytes of one of the requests for a larger one, and how many of them at a time
BLOCK = 256 << 10  # bytes read back at a time
MULTIPART_FROM = 64 << 20  # bytes from which an upload goes in parts, where that is allowed
LARGEST_PUT = 5 << 30  # bytes S3 takes in one request
ATTEMPTS = 4
PAUSE_S = 0.5  # before the second attempt; doubled each time

_MD5 = re.compile(r"[0-9a-f]{32}")
_NO_PARTS = {"NotImplemented", "MethodNotAllowed", "501", "405"}

Advance = Callable[[int], None]


class Spoilt(Exception):
    """What arrived is not what was sent."""


class Download:
    """Objects of ``store`` become files of ``folder``."""

    def __init__(self, store: S3Store, folder: Folder, advance: Advance) -> None:
        self.store, self.folder, self.advance = store, folder, advance
        self._etags_are_digests = True

    def __call__(self, entry: Entry) -> None:
        again(lambda: self._fetch(entry), self.store.name_of(entry.key))

    def _fetch(self, entry: Entry) -> None:
        arrived = self.folder.incoming()
        try:
            stored, sent = self._receive(entry, arrived)
            if sent is None and stored != entry.etag:
                sent = self._second_reading(entry)
            if sent is not None and sent != stored:
                raise Spoilt(f"{entry.key} reads otherwise than it was sent")
            if sent is not None and _MD5.fullmatch(entry.etag):
                self._etags_are_digests = False
            self.folder.put(arrived, entry.key, stored, entry.etag)
        except BaseException:
            self.folder.discard(arrived)
            raise

    def _receive(self, entry: Entry, arrived: str) -> tuple[str, str | None]:
        """MD5 of what the file holds, read back from it, and MD5 of what was sent; None where the ETag tells it."""
        told = self._etags_are_digests and _MD5.fullmatch(entry.etag) is not None
        stored, sent = hashlib.md5(usedforsecurity=False), hashlib.md5(usedforsecurity=False)
        size = 0
        file = os.open(arrived, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o644)
        try:
            for piece in self._pieces(entry):
                if not told:
                    sent.update(piece)
                write_all(file, piece, size)
                hash_back(stored, file, size, len(piece))
                size += len(piece)
                self.advance(len(piece))
        except BaseException:
            self.advance(-size)
            raise
        finally:
            os.close(file)
        if size != entry.size:
            raise TryAgain(
                f"{entry.key} of {self.store.url} changed while it was copied ({entry.size} bytes became {size}); "
                "run it again."
            )
        return stored.hexdigest(), None if told else sent.hexdigest()

    def _second_reading(self, entry: Entry) -> str:
        """An ETag is the MD5 for most objects, not for encrypted ones or files seen through a NAS bucket.

        Where it differs from what arrived, reading again decides: the same bytes twice mean that this server's ETags
        are no MD5.
        """
        second = hashlib.md5(usedforsecurity=False)
        for piece in self._pieces(entry):
            second.update(piece)
        return second.hexdigest()

    def _pieces(self, entry: Entry) -> Iterator[Piece]:
        with _still_there(self.store, entry.key):
            if entry.size <= SMALL:
                yield self.store.read(entry.key)
                return
            for start in range(0, entry.size, RANGE * AT_ONCE):
                yield from self.store.read_ranges(entry.key, spans(start, entry.size))


def spans(start: int, size: int) -> list[tuple[int, int]]:
    """The next AT_ONCE ranges from ``start`` on as start and length, of an object of ``size`` bytes."""
    starts = range(start, min(size, start + RANGE * AT_ONCE), RANGE)
    return [(at, min(RANGE, size - at)) for at in starts]


def write_all(file: int, piece: Piece, at: int) -> None:
    """A single write may take less than it is given: more than 2 GiB, or the last that fits a volume."""
    rest = memoryview(piece)
    while rest:
        written = os.pwrite(file, rest, at)
        at, rest = at + written, rest[written:]


def hash_back(digest: Any, file: int, start: int, length: int) -> None:
    """Add what the file really holds there, by blocks that stay in the processor's cache."""
    if length <= BLOCK:
        digest.update(os.pread(file, length, start))
        return
    block = memoryview(bytearray(BLOCK))
    for at in range(start, start + length, BLOCK):
        read = os.preadv(file, [block[: min(BLOCK, start + length - at)]], at)
        digest.update(block[:read])


class Upload:
    """Files of ``folder`` become objects of ``store``; in one request each unless ``multipart`` is allowed."""

    def __init__(self, folder: Folder, store: S3Store, advance: Advance, *, multipart: bool) -> None:
        self.folder, self.store, self.advance, self.multipart = folder, store, advance, multipart

    def __call__(self, local: Local) -> None:
        again(lambda: self._send(local), self.store.name_of(local.key))

    def _send(self, local: Local) -> None:
        md5 = self.folder.md5(local)
        with self.folder.reading(local.key):
            etag = self._put(local, md5)
        if etag != md5 and self._stored_md5(local) != md5:
            raise Spoilt(f"{local.key} reads otherwise in the bucket than it was sent")
        self.folder.remember(local, md5, etag)
        self.advance(local.size)

    def _put(self, local: Local, md5: str) -> str:
        path = self.folder.root / local.key
        if self.multipart and local.size >= MULTIPART_FROM:
            try:
                return self.store.send(local.key, path, md5, multipart=True)
            except S3Failed as error:  # as by ONTAP's NAS buckets in many versions
                if error.code not in _NO_PARTS:
                    raise
            say(f"{self.store.url} takes no multipart uploads; files are sent in one request each.")
            self.multipart = False
        if local.size > LARGEST_PUT:
            raise BadInput(
                f"{local.key} is {local.size} bytes; without multipart upload S3 takes at most {LARGEST_PUT}. "
                "Use a bucket and a server that allow multipart, or split the file."
            )
        return self.store.send(local.key, path, md5)

    def _stored_md5(self, local: Local) -> str:
        digest = hashlib.md5(usedforsecurity=False)
        for start in range(0, local.size, RANGE * AT_ONCE):
            for piece in self.store.read_ranges(local.key, spans(start, local.size)):
                digest.update(piece)
        return digest.hexdigest()


def again(work: Callable[[], None], what: str) -> None:
    """Do it, up to ATTEMPTS times when what arrives is spoilt. Raises TryAgain after that."""
    for attempt in range(ATTEMPTS):
        try:
            work()
            return
        except Spoilt as error:
            if attempt == ATTEMPTS - 1:
                raise TryAgain(f"{what} cannot be copied: {error}. Run it again to go on.") from error
        time.sleep(PAUSE_S * 2**attempt)


@contextmanager
def _still_there(store: S3Store, key: str) -> Iterator[None]:
    """The object was listed; if it is gone now, the source is changing, and another try sees the new state."""
    try:
        yield
    except Absent as error:
        if store.is_folder(key):
            raise BadInput(
                f"Object '{key}/' of {store.url} has the name of a folder, and content; rename or remove it."
            ) from None
        raise TryAgain(f"{key} of {store.url} vanished while it was copied; run it again.") from error
