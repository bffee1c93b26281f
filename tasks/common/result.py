"""The one JSON object a program hands back."""

from __future__ import annotations

import errno
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LIMIT_BYTES = 4096  # what Kubernetes keeps of a container's termination message


def write_result(result: Mapping[str, Any]) -> None:
    """Write ``result`` to the file RESULT_FILE names, whole or not at all; nothing when it names none.

    Raises ValueError for a result of 4 KB or more: the place that runs the program would cut it.
    """
    text = json.dumps(result, separators=(",", ":"), sort_keys=True, allow_nan=False)
    size = len(text.encode())
    if size >= LIMIT_BYTES:
        raise ValueError(f"the result is {size} bytes and must stay under {LIMIT_BYTES}; put the rest in a file")
    if target := os.environ.get("RESULT_FILE"):
        write_whole(Path(target), text.encode())


def write_whole(path: Path, content: bytes) -> None:
    """Replace ``path`` in one step, durably: a reader, or a crash, sees the old content or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        _put_in_place(temporary, path, content)
    finally:
        temporary.unlink(missing_ok=True)


def _put_in_place(temporary: Path, path: Path, content: bytes) -> None:
    try:
        temporary.replace(path)
    except OSError as error:
        # A container's termination message is itself a mount, and root's: nothing can be renamed over it.
        if error.errno not in (errno.EBUSY, errno.EPERM, errno.EACCES) or not os.access(path, os.W_OK):
            raise
        path.write_bytes(content)
