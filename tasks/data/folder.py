"""A folder that is kept in step with a bucket: what lies in it, what is known of its files, and where ours are kept.

Ours is ``.mlops``: beside a folder called ``data``, as on a dataset volume, else inside the folder. It holds

- ``sync.json``: per file its size, times of modification and of change, MD5 and the ETag it was last seen with in the
  bucket, so that an unchanged file need not be read again. Losing it costs time only, and so does a clone whose files
  are new ones.
- ``incoming/``: files on their way, which a rename puts in their place whole.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import hashlib
import itertools
import json
import os
import shutil
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tasks.common.listing import Local, readable, shown, walk
from tasks.common.program import BadInput, TryAgain
from tasks.common.progress import say
from tasks.common.result import write_whole
from tasks.common.s3_url import why_no_path

LONGEST_NAME = 255  # bytes, of one folder or file


class Folder:
    """Methods on single files may be called from any thread."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ours = ours_of(root)
        self._incoming = self.ours / "incoming"
        self._known: dict[str, list[Any]] = {}
        self._safe_parents: set[str] = set()
        self._numbers = itertools.count()  # next() of it is one step, so that threads may share it
        self._changed = False
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def being_written(self) -> Iterator[None]:
        """One sync at a time; leaves the state on disk however it ends, and no half files."""
        self.ours.mkdir(parents=True, exist_ok=True)
        with (self.ours / "sync.lock").open("wb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise TryAgain(f"Another sync is writing to {self.root}; wait until it is done.") from None
            shutil.rmtree(self._incoming, ignore_errors=True)
            self._incoming.mkdir()
            self._load()
            try:
                yield
                self._flush()
            except BaseException:
                with contextlib.suppress(OSError):
                    self._flush()
                raise
            finally:
                shutil.rmtree(self._incoming, ignore_errors=True)
                self._save()

    @contextlib.contextmanager
    def being_read(self) -> Iterator[None]:
        """The state is used and renewed where there is a place for it; nothing is made in somebody's plain folder."""
        self._load()
        yield
        if self.ours.is_dir() and os.access(self.ours, os.W_OK):
            self._save()

    def to_send(self) -> dict[str, Local]:
        """All files, links followed. Raises BadInput for any name that is no file to read.

        Else what the folder still names would be missing in this list, and be deleted at the destination.
        """
        return {local.key: readable(local) for local in walk(self.root, follow=True)}

    def present(self) -> dict[str, Local]:
        """All names, to be replaced or removed; what is a link or no plain file has the size -1."""
        found = walk(self.root, follow=False)
        return {local.key: local._replace(size=-1) if local.is_link else local for local in found}

    def etag(self, local: Local) -> str | None:
        """The ETag this very file had in the bucket, if it has not been touched since."""
        known = self._fresh(local)
        return known[4] if known else None

    def md5(self, local: Local) -> str:
        known = self._fresh(local)
        if known and known[3]:
            return known[3]
        with self.reading(local.key):
            digest = md5_of(self.root / local.key)
        self._remember(local, digest, None)
        return digest

    @contextlib.contextmanager
    def reading(self, key: str) -> Iterator[None]:
        """Raises BadInput, naming the file, where it must not be read, and TryAgain where it is gone."""
        try:
            yield
        except PermissionError as error:
            raise BadInput(f"{shown(str(self.root / key))} cannot be read: {error.strerror}.") from None
        except FileNotFoundError:
            raise TryAgain(f"{shown(str(self.root / key))} vanished while it was sent; run it again.") from None

    def remember(self, local: Local, md5: str, etag: str) -> None:
        self._remember(local, md5, etag)

    def incoming(self) -> str:
        """Where a file may be written until it is complete."""
        return f"{self._incoming}/{next(self._numbers)}"

    def discard(self, arrived: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            Path(arrived).unlink()

    def put(self, arrived: str, key: str, md5: str, etag: str) -> None:
        """Give a complete file its place."""
        before = Path(arrived).stat()
        self._make_parent(key.rpartition("/")[0], key)
        try:
            Path(arrived).replace(self.root / key)
        except (IsADirectoryError, NotADirectoryError):
            raise BadInput(
                f"{key!r} is a file in the source but a folder in {self.root}; remove or rename one of them."
            ) from None
        facts = (self.root / key).lstat()  # again, since the move changes the time of change
        if (facts.st_ino, facts.st_size, facts.st_mtime_ns) == (before.st_ino, before.st_size, before.st_mtime_ns):
            self._remember(Local.of(key, facts), md5, etag)

    def delete(self, key: str) -> None:
        """Remove the file, and the folders it leaves empty."""
        target = self.root / key
        target.unlink(missing_ok=True)
        with self._lock:
            self._known.pop(key, None)
            self._changed = True
            for parent in target.parents:
                if parent == self.root:
                    break
                try:
                    parent.rmdir()
                except OSError:
                    break
                self._safe_parents.discard(parent.relative_to(self.root).as_posix())

    def free_bytes(self) -> int:
        facts = os.statvfs(self.root)
        return facts.f_bavail * facts.f_frsize

    def _make_parent(self, name: str, key: str) -> None:
        if name in self._safe_parents:
            return
        parent = self.root / name
        try:
            parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise BadInput(
                f"{key!r} needs a folder where {self.root} has a file; remove or rename one of them."
            ) from None
        if parent.resolve() != self.root.resolve() / name:
            raise BadInput(
                f"{key!r} would be written outside its place in {self.root}, through a link; remove the link."
            )
        self._safe_parents.add(name)

    def _fresh(self, local: Local) -> list[Any] | None:
        known = self._known.get(local.key)
        return known if known and known[:3] == [local.size, local.mtime_ns, local.ctime_ns] else None

    def _remember(self, local: Local, md5: str, etag: str | None) -> None:
        with self._lock:
            self._known[local.key] = [local.size, local.mtime_ns, local.ctime_ns, md5, etag]
            self._changed = True

    def _load(self) -> None:
        try:
            self._known = json.loads((self.ours / "sync.json").read_text())["files"]
        except FileNotFoundError:
            return
        except (ValueError, KeyError, TypeError):
            say(f"{self.ours / 'sync.json'} is not readable; every file is compared by its content instead.")

    def _flush(self) -> None:
        """Files first, then what is said of them: after a crash of the machine, the state speaks of nothing lost."""
        if not self._changed:
            return
        try:
            flush(self.ours)
        except OSError:
            self._known.clear()
            raise

    def _save(self) -> None:
        if not self._changed:
            return
        with self._lock:
            text = json.dumps({"files": self._known}, separators=(",", ":"))
        try:
            write_whole(self.ours / "sync.json", text.encode())
        except OSError as error:  # a full volume must not hide why the sync ended
            say(f"{self.ours / 'sync.json'} could not be written ({error}); the next sync will compare by content.")


def ours_of(root: Path) -> Path:
    """The folder ``.mlops`` that belongs to ``root``; on the same file system, so that a rename is one step."""
    beside = root.parent
    if root.name == "data" and (not root.exists() or root.stat().st_dev == beside.stat().st_dev):
        return beside / ".mlops"
    return root / ".mlops"


def checked_key(key: str, source: str) -> str:
    """``key`` if it can be a path inside a folder. Raises BadInput naming it."""
    if why_no_path(key):
        raise BadInput(f"Object {key!r} of {source} would not stay inside the folder as a file; rename or remove it.")
    if len(key) > LONGEST_NAME and any(len(os.fsencode(part)) > LONGEST_NAME for part in key.split("/")):
        raise BadInput(f"Object {key!r} of {source} has a name longer than {LONGEST_NAME} bytes; rename it.")
    return key


def checked_keys(keys: Iterable[str], source: str) -> None:
    """Raises BadInput for a key that cannot be a path inside a folder, or that is a folder of another one."""
    every = {checked_key(key, source) for key in keys}
    apart: set[str] = set()  # folders that are no files
    for key in every:
        parent = key.rpartition("/")[0]
        while parent and parent not in apart:
            if parent in every:
                raise BadInput(
                    f"{source} holds both {parent!r} and {key!r}, and a folder cannot hold a file and a folder of one "
                    "name; rename or remove one of them. Nothing was changed."
                )
            apart.add(parent)
            parent = parent.rpartition("/")[0]


def md5_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, _md5).hexdigest()


def _md5() -> Any:
    return hashlib.md5(usedforsecurity=False)


def flush(folder: Path) -> None:
    """Write out the whole file system that ``folder`` is on: once, where a flush of every file costs 0.6 ms each."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(opened):
            raise OSError(ctypes.get_errno(), "the file system cannot be flushed", str(folder))
    finally:
        os.close(opened)
