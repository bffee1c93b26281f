"""The keys of a bucket in S3's order, read from a directory tree one page at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from emulator.s3 import flat, keys
from emulator.s3.target import Target


@dataclass(frozen=True)
class Entry:
    key: str
    facts: os.stat_result
    path: str


@dataclass
class Page:
    """Up to max_keys entries and common prefixes together; `last` is where the next page goes on."""

    entries: list[Entry] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    truncated: bool = False
    last: str = ""


def flat_page(target: Target, found: list[flat.Item], truncated: bool) -> Page:
    """A page of a bucket of type s3, whose keys were chosen from its index. Runs in a thread."""
    result = Page(truncated=truncated, last=found[-1][0] if found else "")
    for key, is_prefix in found:
        if is_prefix:
            result.prefixes.append(key)
        elif (path := target.path_of(key)) and (facts := keys.regular(path)):
            result.entries.append(Entry(key, facts, path))
    return result


def page(root: str, volume_root: str, *, prefix: str, delimiter: str, after: str, max_keys: int) -> Page:
    """The keys that start with `prefix` and come after `after`, those sharing a delimiter rolled into one prefix."""
    result = Page()
    if max_keys == 0:
        return result
    for item in _items(root, volume_root, prefix, delimiter, after):
        if len(result.entries) + len(result.prefixes) == max_keys:
            result.truncated = True
            return result
        if isinstance(item, Entry):
            result.entries.append(item)
            result.last = item.key
        else:
            result.prefixes.append(item)
            result.last = item
    return result


def _items(root: str, volume_root: str, prefix: str, delimiter: str, after: str) -> Iterator[Entry | str]:
    """Entries and common prefixes in order, each common prefix once."""
    walker = _Walk(root, volume_root, prefix, after)
    if delimiter == "/":  # the usual case: one directory is read, and its sub-directories only until a file shows up
        yield from walker.level()
        return
    previous = None
    for entry in walker.tree():
        end = entry.key.find(delimiter, len(prefix)) if delimiter else -1
        if end < 0:
            yield entry
            continue
        common = entry.key[: end + len(delimiter)]
        if common not in (previous, after):
            yield common
        previous = common


class _Walk:
    def __init__(self, root: str, volume_root: str, prefix: str, after: str) -> None:
        self._root = root
        self._volume_root = volume_root
        self._prefix = prefix
        self._after = after.encode()
        folder = prefix.rpartition("/")[0]
        self._start = folder + "/" if folder else ""

    def level(self) -> Iterator[Entry | str]:
        if not self._start_is_there():
            return
        for name, entry in self._children(self._start):
            key = self._start + name
            if not key.startswith(self._prefix):
                continue
            if not name.endswith("/"):
                if key.encode() > self._after:
                    yield from self._file(key, entry)
            elif key.encode() != self._after and self._reaches_past_mark(key) and next(self._below(key), None):
                yield key

    def tree(self) -> Iterator[Entry]:
        if self._start_is_there():
            yield from self._below(self._start)

    def _start_is_there(self) -> bool:
        """The prefix may be anything a client cares to write; only a real directory inside the volume has keys."""
        if not self._start:
            return os.path.isdir(self._root)  # noqa: PTH112
        path = keys.path_of(self._root, self._volume_root, self._start)
        return path is not None and os.path.isdir(path)  # noqa: PTH112

    def _below(self, folder: str) -> Iterator[Entry]:
        """By a list of what is under way, since a volume may have more levels than Python can call."""
        levels = [(folder, iter(self._children(folder)))]
        while levels:
            folder, children = levels[-1]
            for name, entry in children:
                key = folder + name
                if not key.startswith(self._prefix):
                    continue
                if not name.endswith("/"):
                    if key.encode() > self._after:
                        yield from self._file(key, entry)
                elif self._reaches_past_mark(key):
                    levels.append((key, iter(self._children(key))))
                    break
            else:
                levels.pop()

    def _reaches_past_mark(self, folder: str) -> bool:
        """False for a directory all of whose keys lie before the mark."""
        return folder.encode() > self._after or self._after.startswith(folder.encode())

    def _children(self, folder: str) -> list[tuple[str, os.DirEntry[str]]]:
        """Names in the order of keys: a directory sorts with its slash, so that "a.txt" comes before "a/b"."""
        try:
            with os.scandir(f"{self._root}/{folder}") as found:
                named = [(e.name + "/" if e.is_dir(follow_symlinks=False) else e.name, e) for e in found]
        except OSError:
            return []  # removed or closed to us while we were listing
        return sorted(
            ((name, e) for name, e in named if e.name != keys.HIDDEN and _is_text(name)),
            key=lambda pair: pair[0].encode(),
        )

    def _file(self, key: str, entry: os.DirEntry[str]) -> Iterator[Entry]:
        if entry.is_symlink() and keys.path_of(self._root, self._volume_root, key) is None:
            return
        facts = keys.regular(entry.path)
        if facts is not None:
            yield Entry(key, facts, entry.path)


def _is_text(name: str) -> bool:
    """A file name that is not UTF-8 cannot be a key."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
