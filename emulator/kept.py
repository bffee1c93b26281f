"""What a FlexCache volume has on disk: a view of its origin, and copies of its own.

    DIR/volumes/<uuid>/data        a link: to the origin's live files, or to ``kept`` while the origin cannot be reached
    DIR/volumes/<uuid>/kept        a folder as the origin's, with the files that were copied here; every other name in
                                   it is a link that leads nowhere and says why
    DIR/volumes/<uuid>/kept.json   of every copy, what the origin's file was like when it was made

A program that reads below the cache's junction reads the origin's own files, so what it sees is never old. The copies
are for the time in which the origin is away, and are what the cache's space is used by. Before they are shown they are
compared with the origin, since ONTAP's origin takes back what it changes at the moment of the change.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from emulator import trees

NOT_KEPT = "not in this cache, and its origin cannot be reached"
_SKIP = frozenset({".snapshot"})
_SAVE_EVERY = 200

Facts = list[int]
"""Size, time of change of the content, time of change of the inode, number of the inode: of the origin's file."""


@dataclass
class Kept:
    """The copies of one cache; whoever uses it holds the volume's lock."""

    folder: Path
    """DIR/volumes/<uuid>."""
    staging: Path
    copies: dict[str, Facts] = field(default_factory=dict)
    """By path, those used longest ago first."""

    @classmethod
    def of(cls, folder: Path, staging: Path) -> Kept:
        with contextlib.suppress(FileNotFoundError):
            return cls(folder, staging, json.loads((folder / "kept.json").read_text()))
        return cls(folder, staging)

    @property
    def top(self) -> Path:
        return self.folder / "kept"

    @property
    def used(self) -> int:
        return sum(facts[0] for facts in self.copies.values())

    def keep(self, origin: Path, paths: list[str], room: int) -> int:
        """Copy these files of the origin, unless that is done; the bytes that were copied.

        What was used longest ago goes where there is no room, and a file larger than all of it is left out.
        """
        copied = 0
        for number, path in enumerate(paths):
            facts = _facts(origin / path)
            if facts is None or facts[0] > room:
                continue
            if self.copies.get(path) == facts:
                self.copies[path] = self.copies.pop(path)
                continue
            self._drop(path)
            self._make_room(room - facts[0])
            if self._copy(origin, path):
                self.copies[path] = facts
                copied += facts[0]
            if number % _SAVE_EVERY == _SAVE_EVERY - 1:
                self.save()
        self.save()
        return copied

    def _copy(self, origin: Path, path: str) -> bool:
        stage = self.staging / str(uuid4())
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            trees.copy_file(origin / path, stage)
            _clear(self.top, path)
            stage.rename(self.top / path)
            return True
        return False

    def _make_room(self, room: int) -> None:
        used = self.used
        for path in list(self.copies):
            if used <= room:
                return
            used -= self.copies[path][0]
            self._drop(path)

    def _drop(self, path: str) -> None:
        if self.copies.pop(path, None) is not None:
            (self.top / path).unlink(missing_ok=True)

    def shrink(self, room: int) -> None:
        """Remove what was used longest ago until the rest fits."""
        self._make_room(room)
        self.save()

    def compare(self, origin: Path) -> None:
        """Make ``kept`` a picture of the origin as it is: a copy that is old goes, every other name says so."""
        there = {path: entry.is_dir(follow_symlinks=False) for path, entry in trees.walk(origin, _SKIP)}
        for path in list(self.copies):
            if there.get(path) is not False or self.copies[path] != _facts(origin / path):
                self._drop(path)
        for path, entry in list(trees.walk(self.top)):
            is_folder = entry.is_dir(follow_symlinks=False)
            if is_folder and there.get(path) is not True:
                trees.remove_tree(self.top / path)
            elif not is_folder and path not in self.copies:
                (self.top / path).unlink(missing_ok=True)
        for path, is_folder in there.items():
            place = self.top / path
            if is_folder:
                place.mkdir(exist_ok=True)
            elif path not in self.copies:
                place.symlink_to(f"{NOT_KEPT}: {place.name}")
        self.save()

    def show(self, where: Path) -> bool:
        """Let the view lead there; whether that is new."""
        view = self.folder / "data"
        with contextlib.suppress(OSError):
            if view.readlink() == where:
                return False
        stage = self.staging / str(uuid4())
        stage.symlink_to(where)
        stage.rename(view)
        return True

    def save(self) -> None:
        stage = self.staging / str(uuid4())
        stage.write_text(json.dumps(self.copies))
        stage.rename(self.folder / "kept.json")


def make(folder: Path, stage: Path, origin: Path) -> None:
    """A cache's folder with nothing in it, made in ``stage`` and renamed into place, where nothing is."""
    for name in ("snapshots", "modes", "kept"):
        (stage / name).mkdir(parents=True)
    (stage / "kept.json").write_text("{}")
    (stage / "data").symlink_to(origin)
    stage.rename(folder)
    trees.sync_folder(folder.parent)


def measured(folder: Path) -> tuple[int, int]:
    """(bytes, number) of the copies of a cache."""
    known = Kept.of(folder, folder)
    return known.used, len(known.copies)


def files_below(origin: Path, folder: str, *, recurse: bool, without: list[str]) -> list[str]:
    """The files of the origin in a folder ("" is all), by path; none of the folders ``without``."""
    top, skip = origin / folder, _SKIP if not folder else frozenset()
    found = []
    for relative, entry in trees.walk(top, skip):
        path = f"{folder}/{relative}" if folder else relative
        if any(path == other or path.startswith(other + "/") for other in without):
            continue
        if entry.is_file(follow_symlinks=False) and (recurse or "/" not in relative):
            found.append(path)
    return sorted(found)


def is_folder(origin: Path, path: str) -> bool:
    """Whether there is a real folder at a path of the origin, with no link on the way."""
    step = origin
    for part in filter(None, path.split("/")):
        try:
            step = trees.child(step, part)
        except ValueError:
            return False
        if step.is_symlink() or not step.is_dir():
            return False
    return origin.is_dir()


def _facts(path: Path) -> Facts | None:
    try:
        info = path.lstat()
    except OSError:
        return None
    return [info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino] if stat.S_ISREG(info.st_mode) else None


def _clear(top: Path, path: str) -> None:
    """Make the folders on the way to a path, and take away what is in their place or its own."""
    step = top
    for part in Path(path).parent.parts:
        step /= part
        if not step.is_dir() or step.is_symlink():
            step.unlink(missing_ok=True)
            step.mkdir()
    place = top / path
    if place.is_dir() and not place.is_symlink():
        trees.remove_tree(place)
    elif os.path.lexists(place):
        place.unlink()
