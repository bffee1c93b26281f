"""From an object key to a file, and never out of the bucket's directory."""

from __future__ import annotations

import contextlib
import os
import stat as stat_module

from emulator import trees
from emulator.s3 import errors

MAX_KEY_BYTES = 1024
MAX_NAME_BYTES = 255
HIDDEN = ".snapshot"


def path_of(root: str, volume_root: str, key: str) -> str | None:
    """The file that a key names, or None where no file can have that name or may be seen through this bucket.

    `root` is the bucket's directory, in the volume at `volume_root`, which is a real path (no links in it).
    A link may point elsewhere within the volume, never outside of it.
    """
    parts = key.split("/")
    if _impossible(parts) or HIDDEN in parts:
        return None
    path = f"{root}/{key.rstrip('/')}"
    return path if _stays_inside(root, parts, path, volume_root) else None


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
    # A link at the very end is itself replaced or removed; only the directories on the way there are followed.
    folders = key.rstrip("/").split("/")[:-1]
    if not _stays_inside(root, folders, os.path.dirname(path), volume_root):  # noqa: PTH120
        raise errors.S3Error("AccessDenied", f"The key {key!r} leads out of the volume through a link.")
    if trees.junction(path):
        raise errors.S3Error("AccessDenied", f"Another volume is mounted at {key!r}; use a bucket over that one.")
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


def opened(path: str | None) -> int | None:
    """A descriptor of a regular file, so that what is sent is one version even while a PUT replaces the name."""
    if path is None:
        return None
    with contextlib.suppress(OSError, ValueError):
        # Not blocking: opening a pipe that somebody left in the volume would otherwise wait for its writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        if stat_module.S_ISREG(os.fstat(descriptor).st_mode):
            return descriptor
        os.close(descriptor)
    return None


def _impossible(parts: list[str]) -> bool:
    # An empty last part is a folder key ("a/b/"); anywhere else it has no file to stand for.
    names = parts[:-1] if len(parts) > 1 and parts[-1] == "" else parts
    return any(part in ("", ".", "..") or "\0" in part for part in names)


def _stays_inside(root: str, parts: list[str], path: str, volume_root: str) -> bool:
    """Resolving a path costs a call per directory from / on, so it is done only where there is a link below `root`."""
    step = root
    for part in parts:
        step = f"{step}/{part}"
        try:
            if stat_module.S_ISLNK(os.lstat(step).st_mode):
                return _inside(os.path.realpath(path), volume_root)
        except (OSError, ValueError):
            return True  # nothing there, so nothing to follow
    return True


def _inside(real: str, volume_root: str) -> bool:
    if real != volume_root and not real.startswith(volume_root + "/"):
        return False
    return HIDDEN not in real[len(volume_root) :].split("/")
