"""What S3 knows of an object beyond its file: ETag, content type, user metadata. Kept in an attribute of the file.

There it follows the file through renames, snapshots and clones, so that a clone of a large volume need not be hashed
again. It holds only while size and modification time are those it was written for: a file changed over NFS loses its
ETag and metadata by itself. A file not yet renamed into place already carries it, so a kill never parts the two.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

ATTRIBUTE = "user.s3"
DEFAULT_CONTENT_TYPE = "binary/octet-stream"

_BLOCK = 1 << 20
# No attributes on this file system, no room for one, or a file we may read only.
_CANNOT = (errno.EOPNOTSUPP, errno.ENOSPC, errno.E2BIG, errno.EPERM, errno.EACCES, errno.EROFS)


@dataclass(frozen=True)
class Facts:
    """`etag` comes without its quotes; `metadata` has the x-amz-meta- names without that prefix."""

    etag: str
    content_type: str = DEFAULT_CONTENT_TYPE
    metadata: dict[str, str] = field(default_factory=dict)


class FactStore:
    """Calls may come from any thread."""

    def __init__(self) -> None:
        # Facts of files that cannot carry them, by device and inode: computed again after a restart.
        self._memory: dict[tuple[int, int], str] = {}

    def remember(self, path: str, stat: os.stat_result, facts: Facts) -> None:
        text = json.dumps([stat.st_size, stat.st_mtime_ns, facts.etag, facts.content_type, facts.metadata])
        try:
            os.setxattr(path, ATTRIBUTE, text.encode())
        except OSError as e:
            if e.errno not in _CANNOT:
                raise
            self._memory[stat.st_dev, stat.st_ino] = text

    def known(self, path: str, stat: os.stat_result) -> Facts | None:
        """Facts of exactly this content, or None where the file is new to us or has changed."""
        try:
            text: bytes | str | None = os.getxattr(path, ATTRIBUTE)
        except OSError:
            text = self._memory.get((stat.st_dev, stat.st_ino))
        if not text:
            return None
        return _read(text, stat)

    def of(self, path: str, stat: os.stat_result) -> Facts:
        """Facts of a file; its MD5 is computed when it is not known yet, which reads the whole file."""
        facts = self.known(path, stat)
        if facts is None:
            facts = Facts(md5_of(path))
            self.remember(path, stat, facts)
        return facts


def _read(text: bytes | str, stat: os.stat_result) -> Facts | None:
    try:
        size, mtime_ns, etag, content_type, metadata = json.loads(text)
        found = Facts(str(etag), str(content_type), {str(name): str(value) for name, value in metadata.items()})
    except (ValueError, TypeError, AttributeError):
        return None  # not by us: who may write the file may write its attributes
    if (size, mtime_ns) != (stat.st_size, stat.st_mtime_ns):
        return None
    return found


def md5_of(path: str) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with Path(path).open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
