"""The namespace of each SVM on disk: a junction is a link to the live files of the volume that is mounted there.

    DIR/namespace/<svm>/<path>       junction of a volume that lies in no other one
    DIR/volumes/<uuid>/data/<path>   junction of a volume that is mounted inside another one

A link is made in staging and renamed into place. Nothing is followed on the way to a junction and nothing is replaced
by one, so a folder or a file of the user's, or a link of his that leads elsewhere, stays what it is.
"""

from __future__ import annotations

import contextlib
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from emulator import trees


class Blocked(Exception):
    """Why a volume cannot be seen at a place; the text goes on after "because"."""


@dataclass(frozen=True)
class Place:
    """Where a volume is mounted: a path without slashes at its ends, below an SVM's top or inside a volume (uuid)."""

    svm: str
    path: str
    inside: str | None = None


class Namespace:
    def __init__(self, top: Path, volumes: Path, staging: Path) -> None:
        self.top = top
        self._volumes = volumes
        self._staging = staging
        self.lock = threading.RLock()
        """Held while junctions are made or taken away; taken before the store's lock, never after it."""

    def folder(self, svm: str) -> Path:
        """The directory of an SVM's namespace. Blocked when its name cannot be that of a folder."""
        try:
            return trees.child(self.top, svm)
        except ValueError as error:
            raise Blocked(str(error)) from error

    def make(self, svm: str) -> None:
        """Give an SVM its directory, if it has none. Blocked when that cannot be."""
        folder = self.folder(svm)
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            raise Blocked(f"{folder} is no folder")
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise Blocked(error.strerror or str(error)) from error

    def rename(self, old: str, new: str) -> None:
        """Nothing happens when it was already done."""
        with self.lock, contextlib.suppress(Blocked):
            if self.folder(old).is_dir() and not self.folder(new).exists():
                self.folder(old).rename(self.folder(new))

    def forget(self, svm: str) -> None:
        """Remove an SVM's directory; a name that cannot be that of a folder never had one."""
        with self.lock, contextlib.suppress(Blocked):
            if not self.folder(svm).is_symlink():
                trees.remove_tree(self.folder(svm))

    def check(self, place: Place, volume: str) -> None:
        """Blocked unless the volume (uuid) could be mounted there now, or is already."""
        link = self._link(place)
        if link.is_symlink() and trees.junction(link) == volume:
            return
        if os.path.lexists(link):
            kind = "link" if link.is_symlink() else "folder" if link.is_dir() else "file"
            raise Blocked(f"there is a {kind} of that name already")

    def mount(self, place: Place, volume: str) -> None:
        """Show the live files of a volume (uuid) at a place. Blocked, with nothing changed, when that cannot be."""
        with self.lock:
            self.check(place, volume)
            link = self._link(place)
            if link.is_symlink():
                return
            try:
                link.parent.mkdir(parents=True, exist_ok=True)
                stage = self._staging / str(uuid4())
                stage.symlink_to(os.path.relpath(self._volumes / volume / "data", link.parent))
                stage.rename(link)
            except OSError as error:
                raise Blocked(error.strerror or str(error)) from error

    def unmount(self, place: Place) -> None:
        """Take a junction away, and the empty folders above it up to the top of the namespace."""
        with self.lock, contextlib.suppress(Blocked):
            link = self._link(place)
            if trees.junction(link):
                link.unlink()
            for folder in link.parents if place.inside is None else ():
                if folder == self.folder(place.svm):
                    break
                with contextlib.suppress(OSError):
                    folder.rmdir()

    def stray(self, svm: str, paths: set[str]) -> list[Place]:
        """Junctions at the top of an SVM's namespace that are at none of these paths (with a leading slash)."""
        with contextlib.suppress(Blocked, OSError):
            found = [relative for relative, entry in trees.walk(self.folder(svm)) if trees.junction(Path(entry.path))]
            return [Place(svm, relative) for relative in found if "/" + relative not in paths]
        return []

    def _link(self, place: Place) -> Path:
        """Where the link of a junction lies; every folder on the way there is a real one, or is not there yet."""
        step = self.folder(place.svm) if place.inside is None else trees.child(self._volumes, place.inside) / "data"
        if step.is_symlink():
            raise Blocked("it would lie in a FlexCache volume, whose files are its origin's")
        try:
            *folders, last = place.path.split("/")
            for part in folders:
                step = trees.child(step, part)
                if step.is_symlink() or (step.exists() and not step.is_dir()):
                    raise Blocked(f'"{part}" on the way there is no folder')
            return trees.child(step, last)
        except (ValueError, OSError) as error:
            raise Blocked(str(error)) from error
