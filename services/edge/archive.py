"""What a site's server is asked, kept on the site's shared volume until home has it.

    <folder>/open/<front>/<batch>/   being written: the pictures, and inputs.jsonl with a line for each
    <folder>/closed/<batch>/         whole, never changed again; batch.json has the digest of every file

``tasks.edge.inputs`` brings closed batches home, and removes them once a dataset version has them. What cannot be kept
is counted: to answer is more than to keep.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROWS, MANIFEST = "inputs.jsonl", "batch.json"
OPEN, CLOSED = "open", "closed"
LARGEST_BATCH = 32 * 1024**2  # bytes at which a batch is closed before its time
LOOK_AGAIN_S = 10.0  # between two looks whether there is room again
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)

log = logging.getLogger(__name__)


@dataclass
class _Batch:
    folder: Path
    began: float
    inputs: int = 0
    size: int = 0


class Archive:
    """The folder of one site on its volume, written by one front; every call may come from any thread.

    :param folder: where the volume is mounted. It is never made: beside an absent volume nothing is kept.
    :param front: of several servers of a site, which one writes.
    :param most: bytes of all that lies in the folder; above it nothing is kept.
    :param close_after_s: seconds after which a batch is closed.
    """

    def __init__(
        self,
        folder: Path,
        *,
        site: str,
        model: str,
        front: str = "front",
        most: int,
        close_after_s: float = 300.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.folder = folder
        self.lost = 0
        self.used = 0
        self.trouble = ""
        """Why nothing is kept now, as a sentence; empty where all is well."""
        self._facts = {"site": site, "model": model}
        self._open, self._closed = folder / OPEN / front, folder / CLOSED
        self._most, self._close_after_s, self._clock = most, close_after_s, clock
        self._lock = threading.RLock()
        self._batch: _Batch | None = None
        self._told, self._looked, self._begun = 0, float("-inf"), False

    def keep(self, request: str, content: bytes, suffix: str, facts: Mapping[str, Any]) -> bool:
        """Keep one input with what is known of it; returns whether it is kept. Of one id the first stays."""
        with self._lock:
            try:
                self._make_room(len(content))
                self._write(request, content, suffix, facts)
            except OSError as error:
                self.lost += 1
                self._say(_why(error, self.folder))
                return False
            self._say("")
            return True

    def tick(self) -> None:
        """Close the batch whose time is over; to be called now and then."""
        with self._lock:
            if self._batch and self._clock() - self._batch.began >= self._close_after_s:
                self.close()

    def close(self) -> None:
        """Close the batch that is open; where the volume does not let us, the next front closes it."""
        with self._lock:
            batch, self._batch = self._batch, None
            if batch is None:
                return
            try:
                self._finish(batch.folder, batch.began)
            except OSError as error:
                self._say(_why(error, self.folder))

    def _make_room(self, size: int) -> None:
        """Raise OSError where the volume is not there, or has no room for so many bytes."""
        if not self.folder.is_dir():
            raise FileNotFoundError(errno.ENOENT, "not there", str(self.folder))
        if not self._begun:
            self._recover()
            self._measure()
            self._begun = True
        if self.used + size > self._most and self._clock() - self._looked >= LOOK_AGAIN_S:
            self._measure()
        if self.used + size > self._most:
            raise OSError(errno.EDQUOT, f"{self.used} of at most {self._most} bytes are used", str(self.folder))

    def _write(self, request: str, content: bytes, suffix: str, facts: Mapping[str, Any]) -> None:
        batch = self._batch or self._begin()
        name = f"{request}.{suffix}"
        try:
            with (batch.folder / name).open("xb") as file:
                file.write(content)
        except FileExistsError:
            return
        except OSError:
            (batch.folder / name).unlink(missing_ok=True)
            raise
        row = json.dumps({"request": request, "file": name, **facts}, separators=(",", ":")).encode() + b"\n"
        with (batch.folder / ROWS).open("ab") as file:
            file.write(row)
        batch.inputs += 1
        batch.size += len(content) + len(row)
        self.used += len(content) + len(row)
        if batch.size >= LARGEST_BATCH:
            self.close()

    def _begin(self) -> _Batch:
        now = self._clock()
        name = f"b{datetime.fromtimestamp(now, UTC):%Y%m%dt%H%M%Sz}{secrets.token_hex(4)}"
        (self._open / name).mkdir(parents=True)
        self._batch = _Batch(self._open / name, now)
        return self._batch

    def _recover(self) -> None:
        """Close what a front before this one has left open."""
        for folder in sorted(self._open.glob("*/")):
            self._finish(folder, folder.stat().st_mtime)

    def _finish(self, folder: Path, began: float) -> None:
        """Write the digests of a batch and give it its place among the closed ones, in this order."""
        rows = list(_whole_rows(folder / ROWS))
        kept = {ROWS, *(row["file"] for row in rows)}
        for path in folder.iterdir():
            if path.name not in kept:  # a picture whose row was cut off, or an earlier try's list of digests
                path.unlink()
                self.lost += path.name != MANIFEST
        if not rows:
            shutil.rmtree(folder)
            return
        _write_durably(folder / ROWS, b"".join(json.dumps(row, separators=(",", ":")).encode() + b"\n" for row in rows))
        facts = {
            **self._facts,
            "began": _iso(began),
            "closed": _iso(self._clock()),
            "inputs": len(rows),
            "lost_before": self.lost - self._told,
            "files": {name: digest_of(folder / name) for name in sorted(kept)},
        }
        _write_durably(folder / MANIFEST, json.dumps(facts, indent=1).encode())
        self._closed.mkdir(exist_ok=True)
        folder.rename(self._closed / folder.name)
        _sync(self._closed)
        self._told = self.lost

    def _measure(self) -> None:
        self._looked = self._clock()
        self.used = sum(_size(Path(where) / name) for where, _, names in os.walk(self.folder) for name in names)

    def _say(self, trouble: str) -> None:
        """Log when it begins and when it is over, not for each input."""
        if trouble and not self.trouble:
            log.warning("%s Inputs are answered and not kept until then; the metrics count them.", trouble)
        if self.trouble and not trouble:
            log.info("Inputs are kept again; %s were lost so far.", self.lost)
        self.trouble = trouble


def digest_of(path: Path) -> str:
    """SHA-256 of a file that the storage holds, in hex."""
    _sync(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _whole_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a batch whose picture is there too; the last one may have been cut off."""
    if not path.exists():
        return
    for line in path.read_bytes().splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if (path.parent / row["file"]).is_file():
            yield row


def _write_durably(path: Path, content: bytes) -> None:
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(content)
    _sync(partial)
    partial.replace(path)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # brought home meanwhile
        return 0


def _why(error: OSError, folder: Path) -> str:
    if error.errno in _NO_ROOM:
        return (
            f"The volume of inputs at {folder} is full ({error.strerror}): run the DAG edge_inputs, which brings them "
            "home and makes room, or make the volume larger."
        )
    return f"The volume of inputs at {folder} cannot be written ({error.strerror}): mount it again."


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
