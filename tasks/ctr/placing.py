"""Files too large for memory, written whole at their place or not at all, in a folder or a bucket."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, TypeVar

from tasks.common.data import S3Store, Store
from tasks.common.program import BadInput

LARGEST_PUT = 5 << 30  # bytes S3 takes in one request
T = TypeVar("T")


def place(target: Store, key: str, fill: Callable[[IO[bytes]], T]) -> T:
    """Have ``fill`` write the file, then put it where it belongs in one step."""
    folder = None
    if not isinstance(target, S3Store):
        final = Path(target.url) / key
        final.parent.mkdir(parents=True, exist_ok=True)
        folder = final.parent
    handle, name = tempfile.mkstemp(dir=folder, prefix=f".{Path(key).name}.")
    partial = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            answer = fill(file)
            file.flush()
            os.fsync(file.fileno())
        if isinstance(target, S3Store):
            _upload(target, key, partial)
        else:
            partial.chmod(0o644)
            partial.replace(final)
        return answer
    finally:
        partial.unlink(missing_ok=True)


def _upload(target: S3Store, key: str, source: Path) -> None:
    """In one request, since ONTAP's buckets over NAS volumes refuse multipart uploads in many versions."""
    size = source.stat().st_size
    if size > LARGEST_PUT:
        raise BadInput(f"{key} is {size} bytes and S3 takes {LARGEST_PUT} in one request; make smaller files.")
    with source.open("rb") as file:
        md5 = hashlib.file_digest(file, "md5").hexdigest()
    target.send(key, source, md5)
