"""From an object key to a file, and never out of the bucket's directory."""

from __future__ import annotations

import os
import stat as stat_module
from pathlib import Path

from . import errors

MAX_KEY_BYTES = 1024
MAX_NAME_BYTES = 255
HIDDEN = ".snapshot"


def path_of(root: str, volume_root: str, key: str) -> str | None:
    """The file that a key names, or None where no file can have that name or may be seen through this bucket.

    `root` is the bucket's directory, `volume_root` the volume it lies in; both are real paths (no links in them).
    A link may point elsewhere within the volume, never outside of it.
    """
    parts = key.split("/")
    if _impossible(parts) or HIDDEN in parts:
        return None
    path = f"{root}/{key.rstrip('/')}"
    try:
        real = os.path.realpath(path, strict=False)
    except (OSError, ValueError):
        return None
    return path if _inside(real, volume_root) else None


def writable_path_of(root: str, volume_root: str, key: str) -> str:
    """As path_of, for a key about to be written or removed; raises S3Error saying what is wrong with it."""
    parts = key.split("/")
    if len(key.encode()) > MAX_KEY_BYTES or any(len(part.encode()) > MAX_NAME_BYTES for part in parts):
        raise errors.S3Error(
            "KeyTooLongError", "The key is too long: 1024 bytes in all and 255 bytes between slashes are allowed."
        )
    if _impossible(parts):
        raise errors.S3Error(
            "InvalidArgument", f"The key {key!r} cannot be a file name: it has an empty, '.' or '..' part."
        )
    if HIDDEN in parts:
        raise errors.S3Error("AccessDenied", f"{HIDDEN} is read-only and not part of a bucket.")
    path = f"{root}/{key.rstrip('/')}"
    if not _inside(os.path.realpath(Path(path).parent), volume_root):
        raise errors.S3Error("AccessDenied", f"The key {key!r} leads out of the volume through a link.")
    return path


def is_folder_key(key: str) -> bool:
    """A key with a slash at its end names a directory."""
    return key.endswith("/")


def regular(path: str) -> os.stat_result | None:
    """The stat of a regular file (links followed), None for anything else."""
    try:
        facts = os.stat(path)  # noqa: PTH116 - a Path per request costs more than the call itself
    except (OSError, ValueError):
        return None
    return facts if stat_module.S_ISREG(facts.st_mode) else None


def _impossible(parts: list[str]) -> bool:
    # An empty last part is a folder key ("a/b/"); anywhere else it has no file to stand for.
    names = parts[:-1] if len(parts) > 1 and parts[-1] == "" else parts
    return any(part in ("", ".", "..") or "\0" in part for part in names)


def _inside(real: str, volume_root: str) -> bool:
    if HIDDEN in real[len(volume_root) :].split("/"):
        return False
    return real == volume_root or real.startswith(volume_root + "/")
