"""Whole directory trees: copied by reference where the file system can, frozen, measured, exchanged and removed.

A dataset has thousands of files, so what is done once per file uses plain strings and descriptors, not paths.
"""
# ruff: noqa: PTH101, PTH102, PTH115, PTH211

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import functools
import json
import os
import re
import shutil
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

_FICLONE = 0x40049409
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_WRITE_BITS = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
_COPY_THREADS = 1
_US = (os.geteuid(), os.getegid())
_CANNOT = (errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS)

# How a junction is told from any other link: by where it leads, which no kill can part from it.
_JUNCTION = re.compile(r"(?:\.\./)+(?:volumes/)?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/data")
MAX_NAME_BYTES = 255

Modes = dict[str, int]
"""Permission bits by path relative to a tree; only where a frozen tree differs from the original."""


class Copied(NamedTuple):
    """``modes`` are those that a freeze takes away, ``size`` the bytes of the files, ``originals`` by path."""

    modes: Modes
    size: int
    originals: dict[str, os.stat_result]


def child(folder: Path, name: str) -> Path:
    """The entry of a folder that has this name. ValueError when it is not one plain part of a path.

    Whatever lies in a record or comes from a client goes through here before it becomes a path, so that none leads out
    of the folder.
    """
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise ValueError(f"{name[:100]!r} cannot be the name of a folder")
    try:
        length = len(name.encode())
    except UnicodeEncodeError as error:
        raise ValueError(f"{name[:100]!r} cannot be written in UTF-8") from error
    if length > MAX_NAME_BYTES:
        raise ValueError(f'"{name[:20]}..." has {length} bytes, more than the {MAX_NAME_BYTES} that a name can have')
    return folder / name


def junction(path: str | Path) -> str | None:
    """The volume (uuid) that is mounted here, if this is a junction."""
    try:
        match = _JUNCTION.fullmatch(os.readlink(path))
    except (OSError, ValueError):
        return None
    return match.group(1) if match else None


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


def copy_tree(source: Path, target: Path, *, modes: Modes | None = None, skip: frozenset[str] = frozenset()) -> Copied:
    """Copy a tree to a new directory.

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
        return _copy_entry(f"{source}/{relative}", f"{target}/{relative}", relative, modes.get(relative))

    with ThreadPoolExecutor(_COPY_THREADS) as pool:
        copied = [result for result in pool.map(copy, files, chunksize=16) if result]
    # Children before parents, since copying into a folder changes its time.
    for relative in reversed(folders):
        with contextlib.suppress(FileNotFoundError):
            info = (source / relative).lstat()
            _keep(f"{source}/{relative}", f"{target}/{relative}", info, modes.get(relative or "."))
            copied.append((relative or ".", info))
    size = sum(info.st_size for _, info in copied if not stat.S_ISDIR(info.st_mode))
    frozen = {name: stat.S_IMODE(info.st_mode) for name, info in copied if _would_freeze(info)}
    return Copied(frozen, size, dict(copied))


def _would_freeze(info: os.stat_result) -> bool:
    return not stat.S_ISLNK(info.st_mode) and bool(info.st_mode & _WRITE_BITS)


def copy_file(source: Path, target: Path, *, mode: int | None = None) -> None:
    """Copy one file or link with its times, owner and attributes; nothing may be at the target.

    :param mode: overrides its permission bits.
    """
    if _copy_entry(str(source), str(target), source.name, mode) is None:
        raise FileNotFoundError(errno.ENOENT, "it has gone, or is no file", str(source))


def _copy_entry(source: str, target: str, relative: str, mode: int | None) -> tuple[str, os.stat_result] | None:
    try:
        info = os.lstat(source)
        if stat.S_ISLNK(info.st_mode) and junction(source):
            # What is mounted inside a volume is no part of it: a copy has an empty folder there.
            os.mkdir(target)
            return relative, os.lstat(target)
        if stat.S_ISLNK(info.st_mode):
            os.symlink(os.readlink(source), target)
            _keep(source, target, info, mode)
        elif stat.S_ISREG(info.st_mode):
            _copy_file(source, target, info, mode)
        else:
            # Sockets and devices mean nothing in a copy, as in a backup.
            return None
        return relative, info
    except FileNotFoundError:
        return None


def _copy_file(source: str, target: str, info: os.stat_result, mode: int | None) -> None:
    reader = os.open(source, os.O_RDONLY)
    try:
        writer = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            _copy_bytes(reader, writer, info.st_size)
            _keep(reader, writer, info, mode)
        finally:
            os.close(writer)
    finally:
        os.close(reader)


def copy_contents(source: str, target: str) -> None:
    """The contents alone, by reference where the file system can."""
    reader = os.open(source, os.O_RDONLY)
    try:
        writer = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            _copy_bytes(reader, writer, os.fstat(reader).st_size)
        finally:
            os.close(writer)
    finally:
        os.close(reader)


def _copy_bytes(reader: int, writer: int, size: int) -> None:
    if size == 0:
        return
    try:
        fcntl.ioctl(writer, _FICLONE, reader)
        return
    except OSError as error:
        if error.errno not in _CANNOT:
            raise
    try:
        # Bytes added while we read belong to the next snapshot, so the size of the beginning is all that is copied.
        while size > 0 and (done := os.copy_file_range(reader, writer, size)):
            size -= done
    except OSError as error:
        if error.errno not in _CANNOT:
            raise
        while data := os.read(reader, 1 << 20):
            os.write(writer, data)


def _keep(source: str | int, target: str | int, info: os.stat_result, mode: int | None) -> None:
    """Attributes, owner, mode and times, by path or by open file."""
    follow = isinstance(source, int)
    for name in user_attributes(source):
        os.setxattr(target, name, os.getxattr(source, name, follow_symlinks=follow), follow_symlinks=follow)
    if (info.st_uid, info.st_gid) != _US and _US[0] == 0:
        os.chown(target, info.st_uid, info.st_gid, follow_symlinks=follow)
    if not stat.S_ISLNK(info.st_mode):
        os.chmod(target, stat.S_IMODE(info.st_mode) if mode is None else mode)
    os.utime(target, ns=(info.st_atime_ns, info.st_mtime_ns), follow_symlinks=follow)


def user_attributes(path: str | int) -> list[str]:
    try:
        return [name for name in os.listxattr(path, follow_symlinks=isinstance(path, int)) if name.startswith("user.")]
    except OSError as error:
        if error.errno not in _CANNOT:
            raise
        return []


def freeze(top: Path, modes: Modes) -> None:
    """Take the write bits away from everything that ``modes`` names."""
    for relative, mode in modes.items():
        os.chmod(f"{top}/{relative}", mode & ~_WRITE_BITS)


def save_facts(path: Path, facts: dict[str, Any]) -> None:
    """Keep what is known of a tree beside it."""
    with path.open("w") as file:
        json.dump(facts, file)
        file.flush()
        os.fsync(file.fileno())


def load_facts(path: Path) -> dict[str, Any]:
    """What was kept; not to be changed, since the next who asks gets the same."""
    info = path.stat()
    return _facts(path, info.st_ino, info.st_mtime_ns, info.st_size)


@functools.lru_cache(maxsize=16)
def _facts(path: Path, inode: int, mtime_ns: int, size: int) -> dict[str, Any]:
    # Whoever lists a volume with many folders asks once for each, and there is an entry for every file.
    return json.loads(path.read_text())


def used_bytes(top: Path, skip: frozenset[str] = frozenset()) -> int:
    """Bytes of all files below ``top`` as their lengths say."""
    return measured(top, skip)[0]


def measured(top: Path, skip: frozenset[str] = frozenset()) -> tuple[int, int]:
    """(bytes of all files below ``top``, number of files and folders); what is mounted there does not count."""
    total = count = 0
    for _, entry in walk(top, skip):
        try:
            if entry.is_symlink() and junction(entry.path):
                continue
            count += 1
            if not entry.is_dir(follow_symlinks=False):
                total += entry.stat(follow_symlinks=False).st_size
        except FileNotFoundError:
            continue
    return total, count


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


@contextlib.contextmanager
def _movable(*folders: Path) -> Iterator[None]:
    """Let their owner write them meanwhile: a frozen folder is moved elsewhere by root alone."""
    frozen: list[tuple[int, int]] = []
    try:
        for folder in folders if os.geteuid() != 0 else ():
            mode = stat.S_IMODE(folder.stat().st_mode)
            if not mode & stat.S_IWUSR:
                frozen.append((os.open(folder, os.O_RDONLY | os.O_DIRECTORY), mode))
                folder.chmod(mode | stat.S_IWUSR)
        yield
    finally:
        for handle, mode in frozen:  # by whatever name it has now
            os.fchmod(handle, mode)
            os.close(handle)


def exchange(one: Path, other: Path) -> None:
    """Swap two directories in one step, so that no moment exists at which either is missing."""
    libc = ctypes.CDLL(None, use_errno=True)
    with _movable(one, other):
        done = libc.renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE)
        if done != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"{os.strerror(number)}: exchanging {one} and {other}")
    sync_folder(one.parent)
