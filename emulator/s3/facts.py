"""What S3 knows of an object beyond its file: ETag, headers, metadata, checksums. Kept in an attribute of the file.

There it follows the file through renames, snapshots and clones, so that a clone of a large volume need not be hashed
again. It holds only while size and modification time are those it was written for: a file changed over NFS loses its
ETag and metadata by itself. A file not yet renamed into place already carries it, so a kill never parts the two.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

ATTRIBUTE = "user.s3"
DEFAULT_CONTENT_TYPE = "binary/octet-stream"

_BLOCK = 1 << 20
# No attributes on this file system, no room for one, or a file we may read only.
_CANNOT = (errno.EOPNOTSUPP, errno.ENOSPC, errno.E2BIG, errno.EPERM, errno.EACCES, errno.EROFS)


_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")

# Headers that are kept as they were sent with the object and given back with it.
KEPT_HEADERS = ("cache-control", "content-disposition", "content-encoding", "content-language", "expires")


@dataclass(frozen=True)
class Facts:
    """`etag` comes without its quotes; `metadata` has the x-amz-meta- names without that prefix.

    `headers` has those of KEPT_HEADERS that were sent. `checksums` are in base64, by what follows x-amz-checksum-;
    `checksum_type` says whether they are of the whole (FULL_OBJECT) or of the parts' checksums (COMPOSITE). `parts`
    are the sizes of the parts it was uploaded in, as (size, how many in a row); empty for a single PUT.
    """

    etag: str
    content_type: str = DEFAULT_CONTENT_TYPE
    metadata: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    checksums: dict[str, str] = field(default_factory=dict)
    checksum_type: str = "FULL_OBJECT"
    parts: tuple[tuple[int, int], ...] = ()

    @property
    def part_count(self) -> int:
        return sum(count for _, count in self.parts)

    def part(self, number: int) -> tuple[int, int] | None:
        """Offset and size of a part, counted from 1; None where there is no such part."""
        offset, before = 0, 0
        for size, count in self.parts:
            if before < number <= before + count:
                return offset + (number - before - 1) * size, size
            offset, before = offset + size * count, before + count
        return None

    def text(self, stat: os.stat_result, *, with_parts: bool = True) -> str:
        more: dict[str, Any] = {"headers": self.headers, "checksums": self.checksums}
        if self.checksums:
            more["checksum_type"] = self.checksum_type
        if with_parts:
            more["parts"] = self.parts
        known = [stat.st_size, stat.st_mtime_ns, self.etag, self.content_type, self.metadata]
        kept = {name: value for name, value in more.items() if value}
        return json.dumps([*known, kept] if kept else known, ensure_ascii=False)


def in_a_row(sizes: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """Sizes of parts as Facts keeps them: ten thousand parts of one size take no more room than one."""
    return tuple((size, len(list(same))) for size, same in groupby(sizes))


class FactStore:
    """Calls may come from any thread."""

    def __init__(self) -> None:
        # Facts of files that cannot carry them, by device and inode: computed again after a restart.
        self._memory: dict[tuple[int, int], str] = {}

    def remember(self, path: str | int, stat: os.stat_result, facts: Facts) -> None:
        # An attribute has a few kilobytes; thousands of parts of different sizes are what can best be spared.
        for text in dict.fromkeys((facts.text(stat), facts.text(stat, with_parts=False))):
            try:
                os.setxattr(path, ATTRIBUTE, text.encode())
                return
            except OSError as e:
                if e.errno not in _CANNOT:
                    raise
        self._memory[stat.st_dev, stat.st_ino] = facts.text(stat)

    def known(self, path: str | int, stat: os.stat_result) -> Facts | None:
        """Facts of exactly this content, or None where the file is new to us or has changed.

        `path` may be an open descriptor, and should be where another file may take the path at any time.
        """
        try:
            text: bytes | str | None = os.getxattr(path, ATTRIBUTE)
        except OSError:
            text = self._memory.get((stat.st_dev, stat.st_ino))
        if not text:
            return None
        return _read(text, stat)

    def of(self, path: str | int, stat: os.stat_result) -> Facts:
        """Facts of a file; its MD5 is computed when it is not known yet, which reads the whole file."""
        facts = self.known(path, stat)
        if facts is not None:
            return facts
        if isinstance(path, int):
            return self._computed(path)
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            return self._computed(descriptor)
        finally:
            os.close(descriptor)

    def _computed(self, descriptor: int) -> Facts:
        """By descriptor, so that what is computed of one file is never written to another that has taken its path."""
        stat = os.fstat(descriptor)
        facts = self.known(descriptor, stat)
        if facts is None:
            facts = Facts(md5_of(descriptor))
            self.remember(descriptor, stat, facts)
        return facts


def _read(text: bytes | str, stat: os.stat_result) -> Facts | None:
    try:
        size, mtime_ns, etag, content_type, metadata, *more = json.loads(text)
        rest = more[0] if more else {}
        found = Facts(
            str(etag),
            str(content_type),
            _texts(metadata),
            headers=_texts(rest.get("headers", {})),
            checksums=_texts(rest.get("checksums", {})),
            checksum_type=str(rest.get("checksum_type", "FULL_OBJECT")),
            parts=tuple((int(size), int(count)) for size, count in rest.get("parts", ())),
        )
    except (ValueError, TypeError, AttributeError):
        return None  # not by us: who may write the file may write its attributes
    if (size, mtime_ns) != (stat.st_size, stat.st_mtime_ns) or not _is_sound(found, stat):
        return None
    return found


def _is_sound(found: Facts, stat: os.stat_result) -> bool:
    """Whether all of it can be sent as headers, and the parts are those of the file."""
    values = [found.etag, found.content_type, found.checksum_type, *found.metadata.values(), *found.headers.values()]
    names = [*found.metadata, *found.checksums]
    return (
        all(map(_VALUE.fullmatch, [*values, *found.checksums.values()]))
        and all(map(_NAME.fullmatch, names))
        and found.headers.keys() <= set(KEPT_HEADERS)
        and all(size >= 0 and count > 0 for size, count in found.parts)
        and (not found.parts or sum(size * count for size, count in found.parts) == stat.st_size)
    )


def _texts(found: dict[Any, Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in found.items()}


def md5_of(descriptor: int) -> str:
    digest, offset = hashlib.md5(usedforsecurity=False), 0
    while block := os.pread(descriptor, _BLOCK, offset):
        digest.update(block)
        offset += len(block)
    return digest.hexdigest()
