"""A folder of model files that is there whole or not at all, known by one digest."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from tasks.common.program import BadInput, stop_deferred


def model_files(folder: Path, pattern: str) -> list[Path]:
    """Return the files in ``folder`` itself that match, by name. Raises BadInput when there are none."""
    found = sorted(path for path in folder.glob(pattern) if path.is_file())
    if not found:
        state = "holds no file" if folder.is_dir() else "does not exist, so there is no file"
        raise BadInput(
            f"The folder {folder} {state} matching {pattern!r}: name the output folder of a finished training."
        )
    return found


def digest_of(files: Iterable[Path]) -> str:
    """``sha256:`` and 64 hex digits over names and contents, independent of place and time."""
    whole = hashlib.sha256()
    for path in sorted(files, key=lambda path: path.name):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        whole.update(f"{path.name}\0{content}\n".encode())
    return f"sha256:{whole.hexdigest()}"


def copy_durably(source: Path, target: Path) -> None:
    """Copy a file's content and wait until the storage holds it."""
    shutil.copyfile(source, target)
    _sync(target)


def place_whole(destination: Path, build: Callable[[Path], None]) -> None:
    """Have ``build`` fill an empty folder beside ``destination``, then give it that name in one step.

    A reader sees no folder or the finished one, also after a crash. What a crashed try left is cleared away; two
    processes must not place the same folder at once.
    """
    partial = destination.with_name(f".{destination.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        build(partial)
        _sync(partial)
        with stop_deferred():
            partial.rename(destination)
            _sync(destination.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
