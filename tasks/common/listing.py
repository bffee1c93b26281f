"""What a folder holds: the one way in which programs list it, and which names are data.

entries = only_data(open_source(url).entries(), url)    # without .ipynb_checkpoints, .DS_Store, __MACOSX
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from tasks.common.program import BadInput
from tasks.common.progress import say

# Ours on a dataset volume, and ONTAP's: neither is data.
IGNORED_FOLDERS = frozenset({".mlops", ".snapshot"})
# Made by other systems beside what they hold: copies, thumbnails, waste.
NO_DATA = frozenset(
    {"__MACOSX", "@eaDir", "#recycle", "#snapshot", "~snapshot", "$RECYCLE.BIN", "System Volume Information"}
    | {"lost+found", "Thumbs.db", "thumbs.db", "ehthumbs.db", "desktop.ini", "Desktop.ini"}
)
_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class Local(NamedTuple):
    """A name in a folder: ``key`` relative to it, with ``/``; size in bytes, times in nanoseconds.

    Of a link, facts are those of the file it leads to. ``problem`` is empty for what can be read as a file, else a
    sentence about the path, without a full stop; then ``size`` is -1.
    """

    key: str
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int = 0
    is_link: bool = False
    problem: str = ""

    @classmethod
    def of(cls, key: str, facts: os.stat_result, *, is_link: bool = False) -> Local:
        return cls(key, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino, is_link)


class _Named(Protocol):
    @property
    def key(self) -> str: ...


Item = TypeVar("Item", bound=_Named)


def is_data(key: str) -> bool:
    """Whether no part of a key is hidden: begins with a dot, is what other systems leave, such as ``__MACOSX``, or is
    named as a backup or a lock: ``day_0~``, ``~$day_0.txt``."""
    return not any(part.startswith((".", "~$")) or part.endswith("~") or part in NO_DATA for part in key.split("/"))


def only_data(entries: Sequence[Item], where: str) -> list[Item]:
    """The entries whose keys are data; says how many were passed over, and one of them."""
    kept = [entry for entry in entries if is_data(entry.key)]
    say_passed_over([entry.key for entry in entries if not is_data(entry.key)], where)
    return kept


def say_passed_over(hidden: Sequence[str], where: str) -> None:
    if hidden:
        files = "1 hidden file" if len(hidden) == 1 else f"{len(hidden)} hidden files"
        reason = "names that begin with a dot, __MACOSX and the like are no data"
        say(f"{files} under {where} passed over, such as {shown(min(hidden))}: {reason}.")


def walk(root: str | os.PathLike[str], *, follow: bool) -> Iterator[Local]:
    """Every name below ``root`` but those of folders, in no order; those in the ignored folders are left out.

    ``follow`` goes through links to folders; without it, such a link is a name itself. Raises nothing for what cannot
    be read: it has a ``problem``. By scandir, which pathlib would make five times as slow.
    """
    yield from _walk(os.fspath(root), "", follow, ())


def readable(found: Local) -> Local:
    """The same. Raises BadInput for what has a problem."""
    if found.problem:
        raise BadInput(f"{found.problem}; mend, rename or remove it.")
    return found


def make_folder(path: Path) -> None:
    """Make a folder where there is none. Raises BadInput where something else is in its place."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise BadInput(f"{shown(str(path))} cannot be a folder: a file or a link to nothing is in its place.") from None


def shown(name: str) -> str:
    """A file name as text that can be printed, bytes that are no UTF-8 as ``\\xe9``."""
    return os.fsencode(name).decode(errors="backslashreplace")


def _walk(folder: str, before: str, follow: bool, above: tuple[str, ...]) -> Iterator[Local]:
    """``before`` is what keys in ``folder`` begin with, ``above`` the folders it lies in."""
    try:
        entries = os.scandir(folder)
    except OSError as error:
        yield _unusable(before.rstrip("/") or ".", f"The folder {shown(folder)} cannot be listed: {error.strerror}")
        return
    with entries:
        for entry in entries:
            key = before + entry.name
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in IGNORED_FOLDERS:
                    yield from _walk(entry.path, f"{key}/", follow, (*above, folder))
            elif not entry.is_symlink():
                yield from _file(entry, key)
            elif follow and Path(entry.path).is_dir():  # False for whatever cannot be reached
                yield from _linked_folder(entry, key, (*above, folder))
            else:
                yield _link(entry, key)


def _file(entry: os.DirEntry[str], key: str) -> Iterator[Local]:
    try:
        facts = entry.stat()
    except FileNotFoundError:  # just deleted
        return
    except OSError as error:
        yield _unusable(key, f"{shown(entry.path)} cannot be read ({error.strerror})")
        return
    found = Local.of(key, facts)
    yield found if stat.S_ISREG(facts.st_mode) and key.isascii() else _checked(found, facts, entry.path)


def _link(entry: os.DirEntry[str], key: str) -> Local:
    try:
        facts = entry.stat()
    except OSError as error:
        reasons = {errno.ENOENT: "to nothing", errno.ELOOP: "that leads back to itself"}
        what = reasons.get(error.errno or 0, f"that cannot be followed ({error.strerror})")
        return _unusable(key, f"{shown(entry.path)} is a link {what}, {_target(entry)}", is_link=True)
    return _checked(Local.of(key, facts, is_link=True), facts, entry.path)


def _checked(found: Local, facts: os.stat_result, path: str) -> Local:
    kind = _KINDS.get(stat.S_IFMT(facts.st_mode))
    if kind:
        return _unusable(found.key, f"{shown(path)} is {kind}, not a file", is_link=found.is_link)
    try:
        found.key.encode()
    except UnicodeEncodeError:
        return _unusable(found.key, f"The name of {shown(path)} is no UTF-8", is_link=found.is_link)
    return found


def _linked_folder(entry: os.DirEntry[str], key: str, above: tuple[str, ...]) -> Iterator[Local]:
    if entry.name in IGNORED_FOLDERS:
        return
    if any(Path(entry.path).samefile(folder) for folder in above):
        what = f"a link to a folder that it lies in itself, {_target(entry)}"
        yield _unusable(key, f"{shown(entry.path)} is {what}", is_link=True)
        return
    yield from _walk(entry.path, f"{key}/", True, above)


def _target(link: os.DirEntry[str]) -> str:
    return shown(str(Path(link.path).readlink()))


def _unusable(key: str, problem: str, *, is_link: bool = False) -> Local:
    return Local(key, -1, 0, 0, 0, is_link, problem)
