"""Volumes, snapshots and clones as real directories.

    DIR/volumes/<uuid>/data               the live files; its .snapshot is a link to ../snapshots
    DIR/volumes/<uuid>/snapshots/<name>   frozen copies, without write bits
    DIR/volumes/<uuid>/modes/<uuid>.json  the permission bits that freezing a snapshot took away
    DIR/volumes/<uuid>/modes/<uuid>.times when its files had last changed (`changed_times`)
    DIR/volumes/<uuid>/live-<inode>.times the same of live files that began as a copy; the inode is that of data
    DIR/volumes/<uuid>/data, kept         of a FlexCache volume: see `kept`
    DIR/namespace/<svm>/<junction path>   link to a volume's live files: the SVM as an NFS client sees it (`namespace`)
    DIR/staging                           whatever is not complete yet, or no longer wanted; emptied at start

A tree is built in staging and renamed into place before its record is written, and a record goes before its tree does.
So a directory without a record is left over from a kill, and never the other way round.
"""

from __future__ import annotations

import logging
import os
import stat
import threading
import time
from collections import defaultdict
from pathlib import Path
from uuid import uuid4

from emulator import changed_times, kept, trees
from emulator.namespace import Blocked, Namespace

SNAPSHOT_LINK = ".snapshot"
SKIPPED = frozenset({SNAPSHOT_LINK})
# A measurement of used space that took longer than this (s of CPU) is reused for so many times what it took: measuring
# large volumes costs at most a tenth, and what is said of small ones is what is there now.
_USED_QUICK_S = 0.1
_USED_COST_FACTOR = 10

log = logging.getLogger(__name__)


def _live_times(inode: int | str) -> str:
    return f"live-{inode}.times"


class DataPlane:
    def __init__(self, root: Path) -> None:
        self.volumes = root / "volumes"
        self.staging = root / "staging"
        self.namespace = Namespace(root / "namespace", self.volumes, self.staging)
        for folder in (self.volumes, self.namespace.top, self.staging):
            folder.mkdir(parents=True, exist_ok=True)
        self._locks: defaultdict[str, threading.RLock] = defaultdict(threading.RLock)
        self._used: dict[str, tuple[tuple[int, int], float]] = {}

    # Paths

    def data_dir(self, volume: str) -> Path:
        """Live files of a volume (uuid)."""
        return trees.child(self.volumes, volume) / "data"

    def snapshot_dir(self, volume: str, name: str) -> Path:
        return trees.child(trees.child(self.volumes, volume) / "snapshots", name)

    def modes_file(self, volume: str, snapshot: str) -> Path:
        return trees.child(trees.child(self.volumes, volume) / "modes", f"{snapshot}.json")

    def times_file(self, volume: str, snapshot: str) -> Path:
        return self.modes_file(volume, snapshot).with_suffix(".times")

    def live_times(self, volume: str) -> changed_times.Live:
        """What is known of when live files last changed."""
        try:
            inode = self.live_inode(volume)
        except FileNotFoundError:
            return {}
        return changed_times.load(self.volumes / volume / _live_times(inode))

    def stage(self) -> Path:
        """A new path in staging, on the same file system as the volumes; the caller makes what it needs there."""
        return self.staging / str(uuid4())

    def lock(self, volume: str) -> threading.RLock:
        """Held by whoever changes a volume as a whole (uuid)."""
        return self._locks[volume]

    # Volumes

    def create_volume(self, volume: str, *, mode: int, uid: int, gid: int) -> None:
        stage = self.stage()
        (stage / "data").mkdir(parents=True)
        self._publish_volume(stage, volume)
        self.set_owner(volume, mode=mode, uid=uid, gid=gid)

    def clone_volume(self, volume: str, *, parent: str, snapshot: str, name: str) -> None:
        """Make a volume from the parent's snapshot (uuid and name), with the permissions of the day it was taken."""
        stage = self.stage()
        modes = trees.load_facts(self.modes_file(parent, snapshot))
        trees.copy_tree(self.snapshot_dir(parent, name), stage / "data", modes=modes)
        self._save_live_times(stage, stage / "data", self.times_file(parent, snapshot))
        self._publish_volume(stage, volume)

    def _save_live_times(self, folder: Path, tree: Path, of_snapshot: Path) -> None:
        """Keep, in a volume's folder, what a tree that is to be its live files knows from the snapshot it began as."""
        known = changed_times.of_copies(tree, changed_times.load(of_snapshot))
        trees.save_facts(folder / _live_times(tree.stat().st_ino), known)

    def _publish_volume(self, stage: Path, volume: str) -> None:
        (stage / "snapshots").mkdir()
        (stage / "modes").mkdir()
        (stage / "data" / SNAPSHOT_LINK).symlink_to("../snapshots")
        # A job that is done again after a kill meets the directory of its first try.
        self._discard(self.volumes / volume)
        stage.rename(self.volumes / volume)
        trees.sync_folder(self.volumes)

    def delete_volume(self, volume: str) -> None:
        self._used.pop(volume, None)
        self._discard(self.volumes / volume)

    def set_owner(
        self, volume: str, *, mode: int | None = None, uid: int | None = None, gid: int | None = None
    ) -> None:
        data = self.data_dir(volume)
        if os.geteuid() == 0 and (uid is not None or gid is not None):
            os.chown(data, -1 if uid is None else uid, -1 if gid is None else gid)
        if mode is not None:
            data.chmod(mode)

    def owner(self, volume: str) -> tuple[int, int, int]:
        """(permission bits, uid, gid) of the root of a volume."""
        info = self.data_dir(volume).stat()
        return stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid

    # Caches

    def create_cache(self, volume: str, origin: Path) -> None:
        """A FlexCache volume that shows the files of ``origin`` (see `kept`)."""
        self._discard(self.volumes / volume)
        kept.make(self.volumes / volume, self.stage(), origin)

    def is_cache(self, volume: str) -> bool:
        return self.data_dir(volume).is_symlink()

    def kept_by(self, volume: str) -> kept.Kept:
        """The copies of a cache; whoever uses them holds the volume's lock."""
        return kept.Kept.of(trees.child(self.volumes, volume), self.staging)

    # Snapshots

    def create_snapshot(self, volume: str, snapshot: str, name: str) -> int:
        """Freeze the live files; returns their bytes."""
        stage = self.stage()
        live = self.live_times(volume)
        modes, size, originals = trees.copy_tree(self.data_dir(volume), stage, skip=SKIPPED)
        trees.save_facts(self.modes_file(volume, snapshot), modes)
        trees.save_facts(self.times_file(volume, snapshot), changed_times.of_originals(originals, live))
        # The top is frozen last: without its write bit, only root could rename it to another parent.
        trees.freeze(stage, {path: mode for path, mode in modes.items() if path != "."})
        self._discard(self.snapshot_dir(volume, name))
        stage.rename(self.snapshot_dir(volume, name))
        trees.freeze(self.snapshot_dir(volume, name), {".": modes.get(".", 0o555)})
        trees.sync_folder(self.snapshot_dir(volume, name).parent)
        return size

    def rename_snapshot(self, volume: str, old: str, new: str) -> None:
        """Does nothing when it was already done."""
        if self.snapshot_dir(volume, old).exists():
            self.snapshot_dir(volume, old).rename(self.snapshot_dir(volume, new))

    def delete_snapshot(self, volume: str, snapshot: str, name: str) -> None:
        self._discard(self.snapshot_dir(volume, name))
        self.times_file(volume, snapshot).unlink(missing_ok=True)
        self.modes_file(volume, snapshot).unlink(missing_ok=True)

    def prepare_restore(self, volume: str, snapshot: str, name: str) -> tuple[Path, int]:
        """A copy of a snapshot ready to take the place of the live files, and the inode that tells it apart."""
        stage = self.stage()
        modes = trees.load_facts(self.modes_file(volume, snapshot))
        trees.copy_tree(self.snapshot_dir(volume, name), stage, modes=modes)
        (stage / SNAPSHOT_LINK).symlink_to("../snapshots")
        self._save_live_times(self.volumes / volume, stage, self.times_file(volume, snapshot))
        return stage, stage.stat().st_ino

    def restore(self, volume: str, prepared: Path, mounted: dict[str, str]) -> None:
        """Put the copy in place, with the volumes that are mounted inside (path below the volume to uuid).

        Blocked, with nothing changed, when the copy has something else where one of them is mounted.
        """
        try:
            for path, uuid in mounted.items():
                self._put_junction(prepared, path, uuid, self.data_dir(volume))
        except OSError as error:
            trees.remove_tree(prepared)
            raise Blocked(f"there is something else at {path!r} in the snapshot") from error
        trees.exchange(prepared, self.data_dir(volume))
        self._forget_live_times(volume)
        self._used.pop(volume, None)
        trees.remove_tree(prepared)

    def _forget_live_times(self, volume: str) -> None:
        """Those of trees that are no longer the live files."""
        now = _live_times(self.live_inode(volume))
        for path in list((self.volumes / volume).glob(_live_times("*"))):
            if path.name != now:
                path.unlink()

    def _put_junction(self, prepared: Path, path: str, volume: str, home: Path) -> None:
        """A link where ``home`` will have it; an empty folder, which stands for a junction in a snapshot, gives way."""
        link = prepared / path
        if link.is_dir() and not link.is_symlink():
            link.rmdir()
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(self.data_dir(volume), (home / path).parent))

    def receive_snapshot(
        self, volume: str, snapshot: str, name: str, stage: Path, modes: trees.Modes, times: changed_times.Times
    ) -> None:
        """Make a frozen tree that was built in staging a snapshot; ``modes`` are the permissions that froze away."""
        trees.save_facts(self.modes_file(volume, snapshot), modes)
        trees.save_facts(self.times_file(volume, snapshot), times)
        self._discard(self.snapshot_dir(volume, name))
        stage.chmod(0o700)
        stage.rename(self.snapshot_dir(volume, name))
        self.snapshot_dir(volume, name).chmod(modes.get(".", 0o555) & ~0o222)
        trees.sync_folder(self.snapshot_dir(volume, name).parent)

    def show_frozen(self, volume: str, snapshot: str, name: str, mounted: dict[str, str]) -> None:
        """Put a copy of a snapshot in place of the live files that nobody can write; arguments as of ``restore``."""
        prepared, _ = self.prepare_restore(volume, snapshot, name)
        modes = trees.load_facts(self.modes_file(volume, snapshot))
        trees.freeze(prepared, {path: mode for path, mode in modes.items() if path != "."})
        # Freezing is a change too, though none that anybody made.
        self._save_live_times(self.volumes / volume, prepared, self.times_file(volume, snapshot))
        self.restore(volume, prepared, mounted)
        trees.freeze(self.data_dir(volume), {".": modes.get(".", 0o555)})

    def forget(self, stage: Path) -> None:
        """Remove what was built in staging."""
        self._remove(stage)

    def live_inode(self, volume: str) -> int:
        return self.data_dir(volume).stat().st_ino

    # Space

    def used(self, volume: str) -> int:
        """Bytes of the live files; up to a few moments old for large volumes."""
        return self._measured(volume)[0]

    def files(self, volume: str) -> int:
        """Files and folders, the top of the volume among them; as old as ``used`` may be."""
        return self._measured(volume)[1] + 1

    def _measured(self, volume: str) -> tuple[int, int]:
        known = self._used.get(volume)
        if known and time.monotonic() < known[1]:
            return known[0]
        if self.is_cache(volume):
            return kept.measured(self.volumes / volume)
        start = time.thread_time()  # what it cost, and not how long a busy machine made it wait
        found = trees.measured(self.data_dir(volume), SKIPPED)
        took = time.thread_time() - start
        if took > _USED_QUICK_S:
            self._used[volume] = (found, time.monotonic() + took * _USED_COST_FACTOR)
        return found

    def forget_used(self, volume: str) -> None:
        """Measure again at the next question: somebody wrote through us."""
        self._used.pop(volume, None)

    # After a kill

    def clean(self, volumes: dict[str, dict[str, str]]) -> None:
        """Remove what has no record. ``volumes`` has, by uuid, the snapshots of each as name to uuid."""
        for path in list(self.staging.iterdir()):
            self._remove(path)
        for folder in list(self.volumes.iterdir()):
            if folder.name not in volumes:
                self._discard(folder)
        for volume, snapshots in volumes.items():
            folder = trees.child(self.volumes, volume)
            self._complete(folder)
            for path in list((folder / "snapshots").iterdir()):
                if path.name not in snapshots:
                    self._discard(path)
            for path in list((folder / "modes").iterdir()):
                if path.stem not in snapshots.values():
                    self._remove(path)
            if not self.is_cache(volume):
                self._forget_live_times(volume)

    def _complete(self, folder: Path) -> None:
        """Somebody may have removed a directory by hand; the volume is then there, without what was in it."""
        if (folder / "data").is_symlink():
            return  # a cache: its files are its origin's
        for name in ("data", "snapshots", "modes"):
            if not (folder / name).is_dir():
                log.error("%s is gone; volume %s goes on without what was in it", folder / name, folder.name)
                (folder / name).mkdir(parents=True)
        if not (folder / "data" / SNAPSHOT_LINK).is_symlink() and not (folder / "data" / SNAPSHOT_LINK).exists():
            (folder / "data" / SNAPSHOT_LINK).symlink_to("../snapshots")

    def _discard(self, path: Path) -> None:
        """Out of sight in one step, then removed."""
        if not os.path.lexists(path):
            return
        stage = self.stage()
        if os.geteuid() != 0 and not path.is_symlink():
            # Renaming a directory to another parent writes its "..", which needs its own write bit.
            path.chmod(0o700)
        path.rename(stage)
        self._remove(stage)

    def _remove(self, path: Path) -> None:
        if path.is_dir() and not path.is_symlink():
            trees.remove_tree(path)
        else:
            path.unlink()
