"""Makes a folder equal to a bucket prefix, or the other way round, by moving only what changed.

    python -m tasks.data.sync --source s3://lake/tyre/ --destination /mnt/tyre_images/data --delete
    python -m tasks.data.sync --source /mnt/tyre_images/data --destination s3://archive/tyre/ --no-multipart

What is equal is decided by size and ETag or content, never by age alone. Every file appears whole, is read again after
it arrived, and stays when the sync is interrupted; running it again goes on from there. The result tells how many
files were copied, unchanged and deleted, the bytes copied, and the seconds it took.
"""

from __future__ import annotations

import argparse
import errno
import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks.common.data import Entry, S3Store
from tasks.common.listing import Local, make_folder
from tasks.common.program import BadInput, TryAgain, run
from tasks.common.progress import Progress, say
from tasks.common.s3 import ESCAPED, NameRefused, S3Failed
from tasks.common.s3_url import is_s3, why_no_path
from tasks.data.folder import Folder, checked_keys
from tasks.data.parallel import each
from tasks.data.transfer import Download, Upload

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


@dataclass
class Plan:
    """What is to be done; ``total`` counts the files of the source."""

    total: int
    copy: list[Any] = field(default_factory=list)
    delete: list[str] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        return sum(item.size for item in self.copy)


def download(store: S3Store, root: Path, options: argparse.Namespace) -> dict[str, Any]:
    make_folder(root)
    folder = Folder(root)
    with folder.being_written():
        entries = store.entries()
        if not entries:
            raise BadInput(f"{store.url} holds no files; check bucket and prefix. Nothing was changed in {root}.")
        checked_keys([entry.key for entry in entries], store.url)
        wanted = {entry.key: entry for entry in entries}
        present = folder.present()
        plan = compared_download(wanted, present, folder, options)
        free = folder.free_bytes()
        room = free if options.capacity_bytes is None else min(free, options.capacity_bytes)
        require_room(plan, room, str(root), options.when_full)
        return carry_out(plan, lambda advance: Download(store, folder, advance), folder.delete, options, str(root))


def upload(root: Path, store: S3Store, options: argparse.Namespace) -> dict[str, Any]:
    if not root.is_dir():
        raise BadInput(f"The folder {root} does not exist; nothing was sent to {store.url}.")
    folder = Folder(root)
    with folder.being_read():
        present = folder.to_send()
        if not present:
            raise BadInput(f"{root} holds no files. Nothing was changed in {store.url}.")
        stored = {entry.key: entry for entry in store.entries()}
        plan = compared_upload(present, stored, folder, options)
        if options.capacity_bytes is not None:
            require_room(plan, options.capacity_bytes, store.url, options.when_full)
        require_names([local.key for local in plan.copy], store)

        def sender(advance: Any) -> Upload:
            return Upload(folder, store, advance, multipart=not options.no_multipart)

        return carry_out(plan, sender, store.delete, options, store.url)


def compared_download(
    wanted: Mapping[str, Entry], present: Mapping[str, Local], folder: Folder, options: argparse.Namespace
) -> Plan:
    plan = Plan(total=len(wanted))
    doubtful = []
    for key, entry in wanted.items():
        local = present.get(key)
        if local is None or local.size != entry.size:
            plan.copy.append(entry)
        elif not entry.etag or folder.etag(local) != entry.etag:
            doubtful.append(entry)

    def compare(entry: Entry) -> None:
        md5 = folder.md5(present[entry.key])
        if md5 == entry.etag:
            folder.remember(present[entry.key], md5, entry.etag)
        else:
            plan.copy.append(entry)

    each(doubtful, compare, options.connections)
    if options.delete:
        plan.delete = sorted(set(present) - set(wanted))
    return plan


def compared_upload(
    present: Mapping[str, Local], stored: Mapping[str, Entry], folder: Folder, options: argparse.Namespace
) -> Plan:
    plan = Plan(total=len(present))

    def compare(local: Local) -> None:
        entry = stored.get(local.key)
        if entry is None or entry.size != local.size or entry.etag not in (folder.etag(local), folder.md5(local)):
            plan.copy.append(local)

    each(present.values(), compare, options.connections)
    if options.delete:
        plan.delete = sorted(set(stored) - set(present))
    return plan


def require_room(plan: Plan, room: int, where: str, advice: str) -> None:
    if plan.bytes > room:
        raise BadInput(
            f"{where} has room for {room} bytes, but {len(plan.copy)} files of {plan.bytes} bytes are to be copied; "
            f"make it at least {plan.bytes - room} bytes larger{advice and f': {advice}'}. Nothing was changed."
        )


def require_names(keys: Sequence[str], store: S3Store) -> None:
    """Raises BadInput, before anything is sent, for a file name that cannot be a key on this server."""
    for key in keys:
        if wrong := why_no_path(key):
            raise BadInput(f"The file name {key!r} has {wrong}, which cannot be sent to {store.url}; rename the file.")
    escaped = next((key for key in keys if ESCAPED.search(key)), None)
    if escaped is not None:
        try:
            store.read_range(escaped, 0, 1)
        except NameRefused:
            raise
        except (BadInput, S3Failed):  # mostly because there is no such object yet
            return


def carry_out(plan: Plan, worker: Any, delete: Any, options: argparse.Namespace, where: str) -> dict[str, Any]:
    """Copies first, deletes after: until all is copied, nothing is missing."""
    say(f"{len(plan.copy)} of {plan.total} files differ, {len(plan.delete)} are to be deleted.")
    began, copied = time.monotonic(), itertools.count(1)
    so_far = 0

    with Progress(plan.bytes, "B", "Copying") as progress:
        copy = worker(progress.advance)

        def copy_one(item: Any) -> None:
            nonlocal so_far
            copy(item)
            so_far = next(copied)
            progress.advance(0, f"{so_far} of {len(plan.copy)} files")

        try:
            each(sorted(plan.copy, key=lambda item: item.key), copy_one, options.connections)
            each(plan.delete, delete, options.connections)
        except OSError as error:
            kept = f" after {so_far} of {len(plan.copy)} files, which are kept"
            raise explained(error, where, kept, options.when_full) from error
    return {
        "copied": len(plan.copy),
        "unchanged": plan.total - len(plan.copy),
        "deleted": len(plan.delete),
        "files": plan.total,
        "bytes": plan.bytes,
        "seconds": round(time.monotonic() - began, 3),
    }


def explained(error: OSError, where: str, so_far: str = "", advice: str = "") -> Exception:
    """Room can appear by itself (autosize, a snapshot that goes), permission cannot."""
    if error.errno in _NO_ROOM:
        return TryAgain(f"{where} is full{so_far}; make room{advice and f' ({advice})'} and run it again to go on.")
    if error.errno in _FORBIDDEN:
        return BadInput(f"{where} must not be written: {error}. Check its permissions and its export policy.")
    return error


def sync(options: argparse.Namespace) -> dict[str, Any]:
    to_s3 = is_s3(options.destination)
    if to_s3 == is_s3(options.source):
        raise BadInput("One of --source and --destination is an s3://bucket/prefix URL, and the other a folder.")
    try:
        if to_s3:
            return upload(Path(options.source), S3Store(options.destination, options.connections), options)
        return download(S3Store(options.source, options.connections), Path(options.destination), options)
    except OSError as error:
        raise explained(error, options.destination) from error


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tasks.data.sync", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--source", required=True, help="folder or s3://bucket/prefix to copy from")
    parser.add_argument("--destination", required=True, help="folder or s3://bucket/prefix to make equal to it")
    parser.add_argument("--delete", action="store_true", help="delete what is not in the source")
    parser.add_argument("--connections", type=int, default=16, help="files on their way at once")
    parser.add_argument("--no-multipart", action="store_true", help="send each file in one request (NAS buckets)")
    parser.add_argument("--capacity-bytes", type=int, help="room in the destination, if it is known to be less")
    parser.add_argument(
        "--when-full", default="", metavar="TEXT", help="how to make room, for the sentence that asks for it"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    parsed = parse()
    run(lambda: sync(parsed))
