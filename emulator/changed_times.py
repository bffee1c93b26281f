"""What tells whether a file changed, kept over copies: when it last changed (ctime), and its inode.

A copy has the time of its copying and an inode of its own, and no program can set either. So a snapshot has a list of
them by path. Live files that began as a copy have one by the copy's own inode and time: what it says of a file holds
until the file changes again. Folders have none, since nobody asks it of them.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from emulator import trees


class Change(NamedTuple):
    """``time`` in nanoseconds."""

    time: int
    inode: int


Times = dict[str, list[int]]
"""A ``Change`` by path relative to a frozen tree."""
Live = dict[str, list[int]]
"""By inode: the time that the copy itself has, then the ``Change`` to show while it has that."""


def shown(info: os.stat_result, live: Live) -> Change:
    """Of a live file."""
    own, *before = live.get(str(info.st_ino)) or (None,)
    return Change(*before) if own == info.st_ctime_ns else Change(info.st_ctime_ns, info.st_ino)


def frozen(info: os.stat_result, times: Times, path: str) -> Change:
    """Of a file in a snapshot."""
    return Change(*times.get(path, (info.st_ctime_ns, info.st_ino)))


def of_originals(originals: Mapping[str, os.stat_result], live: Live) -> Times:
    """Of what was copied from live files."""
    return {path: list(shown(info, live)) for path, info in originals.items() if not stat.S_ISDIR(info.st_mode)}


def of_copies(top: Path, times: Times) -> Live:
    """Of a copy of a frozen tree that becomes live; nothing about it may change any more but what is in its files."""
    found: Live = {}
    for path, change in times.items():
        try:
            info = os.lstat(f"{top}/{path}")
        except FileNotFoundError:
            continue
        found[str(info.st_ino)] = [info.st_ctime_ns, *change]
    return found


def load(path: Path) -> dict[str, list[int]]:
    """A list of either kind. Empty beside what an older emulator copied, whose own times are shown then."""
    return trees.load_facts(path) if path.exists() else {}
