"""Whole directory trees: copied by reference where the file system can, frozen, measured, exchanged and removed."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import shutil
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_FICLONE = 0x40049409
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_WRITE_BITS = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
_COPY_THREADS = 4
_CANNOT = (errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS)

Modes = dict[str, int]
"""Permission bits by path relative to a tree; only where a frozen tree differs from the original."""


def walk(top: Path, skip: frozenset[str] = frozenset()) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """(relative path, entry) of everything below ``top``, parents first; ``skip`` names entries of ``top`` itself."""
    pending = [""]
    while pending:
        folder = pending.pop()
        for entry in _entries(top / folder):
            relative = f"{folder}/{entry.name}" if folder else entry.name
            if relative in skip:
                continue
            yield relative, entry
            if entry.is_dir(follow_symlinks=False):
                pending.append(relative)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """None when a writer has just removed the folder."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError:
        return []


def copy_tree(
    source: Path, target: Path, *, modes: Modes | None = None, skip: frozenset[str] = frozenset()
) -> tuple[Modes, int]:
    """Copy a tree to a new directory; returns (modes that a freeze takes away, bytes of its files).

    Mode, times, owner and user attributes are kept; ``modes`` overrides permission bits (thawing a frozen tree).
    A file that vanishes while the tree is read was deleted by its writer, and is left out.
    """
    modes = modes or {}
    target.mkdir(parents=True)
    folders, files = [""], []
    for relative, entry in walk(source, skip):
        if entry.is_dir(follow_symlinks=False):
            (target / relative).mkdir()
            folders.append(relative)
        else:
            files.append(relative)

    def copy(relative: str) -> tuple[str, os.stat_result] | None:
        return _copy_entry(source / relative, target / relative, relative, modes.get(relative))

    with ThreadPoolExecutor(_COPY_THREADS) as pool:
        copied = [result for result in pool.map(copy, files, chunksize=16) if result]
    # Children before parents, since copying into a folder changes its time.
    for relative in reversed(folders):
        with contextlib.suppress(FileNotFoundError):
            info = (source / relative).lstat()
            _keep(source / relative, target / relative, info, modes.get(relative or "."))
            copied.append((relative or ".", info))
    size = sum(info.st_size for _, info in copied if not stat.S_ISDIR(info.st_mode))
    return {name: stat.S_IMODE(info.st_mode) for name, info in copied if _would_freeze(info)}, size


def _would_freeze(info: os.stat_result) -> bool:
    return not stat.S_ISLNK(info.st_mode) and bool(info.st_mode & _WRITE_BITS)


def _copy_entry(source: Path, target: Path, relative: str, mode: int | None) -> tuple[str, os.stat_result] | None:
    try:
        info = source.lstat()
        if stat.S_ISLNK(info.st_mode):
            target.symlink_to(source.readlink())
        elif stat.S_ISREG(info.st_mode):
            _copy_bytes(source, target, info.st_size)
        else:
            # Sockets and devices mean nothing in a copy, as in a backup.
            return None
        _keep(source, target, info, mode)
        return relative, info
    except FileNotFoundError:
        return None


def _copy_bytes(source: Path, target: Path, size: int) -> None:
    with source.open("rb") as reader, target.open("xb") as writer:
        try:
            fcntl.ioctl(writer.fileno(), _FICLONE, reader.fileno())
            return
        except OSError as error:
            if error.errno not in _CANNOT:
                raise
        try:
            while os.copy_file_range(reader.fileno(), writer.fileno(), max(size, 1 << 20)):
                pass
        except OSError as error:
            if error.errno not in _CANNOT:
                raise
            shutil.copyfileobj(reader, writer)


def _keep(source: Path, target: Path, info: os.stat_result, mode: int | None) -> None:
    for name in _user_attributes(source):
        value = os.getxattr(source, name, follow_symlinks=False)
        os.setxattr(target, name, value, follow_symlinks=False)
    if (info.st_uid, info.st_gid) != (os.geteuid(), os.getegid()) and os.geteuid() == 0:
        os.chown(target, info.st_uid, info.st_gid, follow_symlinks=False)
    if not stat.S_ISLNK(info.st_mode):
        target.chmod(stat.S_IMODE(info.st_mode) if mode is None else mode)
    os.utime(target, ns=(info.st_atime_ns, info.st_mtime_ns), follow_symlinks=False)


def _user_attributes(path: Path) -> list[str]:
    try:
        return [name for name in os.listxattr(path, follow_symlinks=False) if name.startswith("user.")]
    except OSError as error:
        if error.errno not in _CANNOT:
            raise
        return []


def freeze(top: Path, modes: Modes) -> None:
    """Take the write bits away from everything that ``modes`` names."""
    for relative, mode in modes.items():
        (top / relative).chmod(mode & ~_WRITE_BITS)


def save_modes(path: Path, modes: Modes) -> None:
    with path.open("w") as file:
        json.dump(modes, file)
        file.flush()
        os.fsync(file.fileno())


def load_modes(path: Path) -> Modes:
    return json.loads(path.read_text())


def used_bytes(top: Path, skip: frozenset[str] = frozenset()) -> int:
    """Bytes of all files below ``top`` as their lengths say."""
    total = 0
    for _, entry in walk(top, skip):
        try:
            if not entry.is_dir(follow_symlinks=False):
                total += entry.stat(follow_symlinks=False).st_size
        except FileNotFoundError:
            continue
    return total


def remove_tree(top: Path) -> None:
    """Delete a tree, also a frozen one; nothing happens when it is not there."""
    if not top.is_dir():
        return
    if os.geteuid() != 0:
        _make_writable(top)
    shutil.rmtree(top)


def _make_writable(folder: Path) -> None:
    folder.chmod(0o700)
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            _make_writable(path)


def sync_folder(path: Path) -> None:
    """Make renames in a directory last."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def exchange(one: Path, other: Path) -> None:
    """Swap two directories in one step, so that no moment exists at which either is missing."""
    libc = ctypes.CDLL(None, use_errno=True)
    done = libc.renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE)
    if done != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{os.strerror(number)}: exchanging {one} and {other}")
    sync_folder(one.parent)
