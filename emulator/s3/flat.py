"""Buckets of type s3 on disk: any key is one file of its own, and all keys are known in order.

DIR/s3/objects/<bucket uuid>/=<key>, where `/`, `%` and all that is not printable ASCII are percent-encoded. A key that
is too long for a file name goes on below directories, `+<beginning>/=<rest>`. So `foo` and `foo/bar` are two files side
by side, and what is no file name (`//`, `.`, 1024 bytes) still is a key. An object is renamed into place in one step.
"""

from __future__ import annotations

import os
from bisect import bisect_left, bisect_right
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from emulator import trees
from emulator.s3 import errors, keys

if TYPE_CHECKING:
    from emulator.world import World

_PIECE = 200  # characters of a name, well below the 255 of file systems
_SAFE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) not in "/%")


def path_of(root: str, key: str) -> str | None:
    """The file of a key; None for one that is too long."""
    if len(key.encode()) > keys.MAX_KEY_BYTES:
        return None
    name = quote(key, safe=_SAFE)
    pieces = [name[start : start + _PIECE] for start in range(0, len(name), _PIECE)] or [""]
    return "/".join([root, *(f"+{piece}" for piece in pieces[:-1]), f"={pieces[-1]}"])


def writable_path_of(root: str, key: str) -> str:
    path = path_of(root, key)
    if path is None or not key:
        raise errors.S3Error("KeyTooLongError", f"A key has between 1 and {keys.MAX_KEY_BYTES} bytes.")
    return path


def key_of(relative: str) -> str:
    """The reverse of path_of, for a path relative to the bucket's directory."""
    return unquote("".join(piece[1:] for piece in relative.split("/")), errors="strict")


class Index:
    """The keys of each bucket in S3's order, that of their bytes. Read from disk once, then kept up by every write.

    Calls come from the server's one thread.
    """

    def __init__(self) -> None:
        self._keys: dict[str, list[bytes]] = {}

    def add(self, root: str, key: str) -> None:
        known, encoded = self._of(root), key.encode()
        at = bisect_left(known, encoded)
        if known[at : at + 1] != [encoded]:
            known.insert(at, encoded)

    def discard(self, root: str, key: str) -> None:
        known, encoded = self._of(root), key.encode()
        at = bisect_left(known, encoded)
        if known[at : at + 1] == [encoded]:
            del known[at]

    def select(self, root: str, *, prefix: str, delimiter: str, after: str, most: int) -> tuple[list[Item], bool]:
        """Up to `most` keys and common prefixes after a mark, and whether there are more."""
        known, start, cut, mark = self._of(root), prefix.encode(), delimiter.encode(), after.encode()
        at = max(bisect_left(known, start), bisect_right(known, mark))
        found: list[Item] = []
        while at < len(known) and known[at].startswith(start):
            key, at = known[at], at + 1
            end = key.find(cut, len(start)) if cut else -1
            is_prefix = end >= 0
            if is_prefix:
                key = key[: end + len(cut)]
                # The first that no longer begins so; the last byte of UTF-8 is never 0xff.
                at = bisect_left(known, key[:-1] + bytes([key[-1] + 1]), lo=at)
                if key == mark:
                    continue
            if len(found) == most:
                return found, True
            found.append((key.decode(), is_prefix))
        return found, False

    def _of(self, root: str) -> list[bytes]:
        if root not in self._keys:
            # Buckets come and go; those that are gone are forgotten when a new one is met.
            self._keys = {known: found for known, found in self._keys.items() if os.path.isdir(known)}  # noqa: PTH112
            self._keys[root] = sorted(key.encode() for key in _stored(root))
        return self._keys[root]


Item = tuple[str, bool]
"""A key, or a common prefix (True)."""


def _stored(root: str) -> list[str]:
    return [key_of(path) for path, entry in trees.walk(Path(root)) if entry.is_file(follow_symlinks=False)]


def adopt_trees(world: World) -> None:
    """Move the objects of buckets that an earlier release kept as trees, DIR/s3/buckets/<uuid>/<key>.

    One rename after another, so that a kill leaves nothing but some left to do.
    """
    before = world.root / "s3" / "buckets"
    for folder in before.iterdir() if before.exists() else ():
        root = str(world.root / "s3" / "objects" / folder.name)
        for key, entry in trees.walk(folder):
            if entry.is_file(follow_symlinks=False):
                path = Path(writable_path_of(root, key))
                path.parent.mkdir(parents=True, exist_ok=True)
                Path(entry.path).rename(path)
        trees.remove_tree(folder)
