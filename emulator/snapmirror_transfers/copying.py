"""One snapshot from the source's cluster to the destination's: only files that are not there alike are sent."""
# ruff: noqa: PTH123

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from emulator import changed_times, trees
from emulator.errors import OntapError
from emulator.snapmirror import source, trees_sent
from emulator.snapmirror_transfers.engine import Progress
from emulator.store import Record

if TYPE_CHECKING:
    from emulator.world import World

Entry = dict[str, Any]
_BATCH_FILES = 500
_BATCH_BYTES = 64 << 20


def receive(
    world: World, relationship: Record, snapshot: dict[str, Any], base: Path | None, progress: Progress
) -> tuple[Path, trees.Modes, changed_times.Times, int]:
    """Build the source's snapshot in staging; returns where, the modes that froze away, when its files had last
    changed, and their bytes.

    ``base`` is the tree of a snapshot that is there already. What is left in staging when this fails is removed.
    """
    told = source.ask(world, relationship, "tree", snapshot=snapshot["uuid"])
    entries, stage = told["entries"], world.dataplane.stage()
    try:
        trees_sent.make_folders(stage, entries)
        files = [entry for entry in entries if trees_sent.is_file(entry)]
        alike = _alike(world, relationship, snapshot, files, base) if base else set()
        for entry in files:
            if entry["path"] in alike:
                assert base is not None
                trees.copy_contents(f"{base}/{entry['path']}", f"{stage}/{entry['path']}")
        _fetch(world, relationship, snapshot, [e for e in files if e["path"] not in alike], stage, progress)
        trees_sent.finish(stage, entries)
    except BaseException:
        trees.remove_tree(stage)
        raise
    return stage, told["modes"], told["times"], sum(entry["size"] for entry in files)


def _alike(world: World, relationship: Record, snapshot: dict[str, Any], files: list[Entry], base: Path) -> set[str]:
    """Paths of the files that the base has with the same contents: length and time say which to compare."""
    likely = [entry["path"] for entry in files if _looks_alike(base, entry)]
    found: set[str] = set()
    for paths in _batches([{"path": path, "size": 0} for path in likely]):
        asked = [entry["path"] for entry in paths]
        theirs = source.ask(world, relationship, "digests", snapshot=snapshot["uuid"], paths=asked)["digests"]
        ours = [trees_sent.digest(base / path) for path in asked]
        found |= {path for path, one, other in zip(asked, ours, theirs, strict=True) if one == other}
    return found


def _looks_alike(base: Path, entry: Entry) -> bool:
    try:
        info = (base / entry["path"]).lstat()
    except OSError:
        return False
    same = info.st_size == entry["size"] and info.st_mtime_ns == entry["mtime"]
    return same and trees_sent.is_file({"mode": info.st_mode})


def _batches(files: list[Entry]) -> list[list[Entry]]:
    found: list[list[Entry]] = []
    size = 0
    for entry in files:
        if not found or len(found[-1]) >= _BATCH_FILES or size + entry["size"] > _BATCH_BYTES:
            found.append([])
            size = 0
        found[-1].append(entry)
        size += entry["size"]
    return found


def _fetch(
    world: World, relationship: Record, snapshot: dict[str, Any], files: list[Entry], stage: Path, progress: Progress
) -> None:
    for batch in _batches(files):
        progress.check()
        paths = [entry["path"] for entry in batch]
        with source.read_into(world, relationship, snapshot=snapshot["uuid"], paths=paths) as parts:
            _write(parts, batch, stage, progress)


def _write(parts: Any, batch: list[Entry], stage: Path, progress: Progress) -> None:
    """Cut the stream of contents into its files. 13303844 when it ends too early."""
    rest = b""
    for entry in batch:
        missing = entry["size"]
        with open(f"{stage}/{entry['path']}", "xb") as file:
            while missing:
                if not rest:
                    rest = next(parts, b"")
                    if not rest:
                        raise OntapError("The peer cluster ended the transfer in the midst of a file.", code="13303844")
                now, rest = rest[:missing], rest[missing:]
                file.write(now)
                missing -= len(now)
                progress.add(len(now))
