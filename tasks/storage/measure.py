"""Measure a mounted path or a bucket: what it gives to sequential and random access, frames, small files and training.

    python -m tasks.storage.measure --path /mnt/beegfs/proof --results /srv/storage_proof
    python -m tasks.storage.measure --path s3://bucket/proof --results /srv/storage_proof --tests small_files,loader

Everything is written into a folder of its own under the path, ``.storage-proof-...``, which is removed at the end, also
after a failure or a stop. Cold reads go past the page cache of this machine (O_DIRECT, or the cache is told to forget
the file where the file system knows no O_DIRECT); warm ones find the file in it. Caches of the storage itself cannot be
emptied from here. The figures go to ``<path's name>/<time>.json`` of the results, which ``tasks.storage.report`` shows.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import os
import re
import shutil
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.common import program
from tasks.common.cli import Flags
from tasks.common.data import Store, open_target
from tasks.common.program import BadInput, TryAgain
from tasks.common.progress import say
from tasks.common.result import write_whole
from tasks.storage import fio, patterns

TESTS = ("sequential", "random", "mixed", "frames", "small_files", "loader", "accelerator")
_ONLY_FILES = ("random", "mixed", "frames")
MIB = 1 << 20
OBJECT_BYTES = 8 * MIB
MARK = ".storage-proof-"


def main() -> dict[str, Any]:
    options = _options()
    tests = _tests(options)
    is_bucket = options.path.startswith("s3://")
    begun = datetime.datetime.now(datetime.UTC)
    with (_own_prefix if is_bucket else _own_folder)(options) as place:
        found = Measuring(options, place).all(tests)
    shown = options.shown or options.path
    name = name_of(shown)
    report = {
        "path": shown,
        "name": name,
        "measured": begun.isoformat(timespec="seconds"),
        "host": socket.gethostname(),
        "size_mib": options.size_mib,
        "seconds": options.seconds,
        "tests": found,
    }
    file = options.results / name / f"{begun:%Y%m%dT%H%M%S%f}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, json.dumps(report, indent=1).encode())
    say(f"{shown}: {len(found)} figures are kept in {file}")
    return {"path": shown, "name": name, "file": str(file), "figures": short(found)}


def short(found: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """The one figure of each test that is asked for first."""
    return {name: round(headline(told), 3) for name, told in found.items()}


def headline(told: Mapping[str, Any]) -> float:
    """How busy an accelerator was, else MB/s, else operations a second of what moves no bytes."""
    return float(told.get("busy") or told["mb_per_s"] or told["operations_per_s"])


def name_of(path: str) -> str:
    """A folder's name for a path or URL; two paths have two."""
    readable = re.sub(r"[^A-Za-z0-9]+", "-", path).strip("-")[:60]
    return f"{readable or 'root'}-{hashlib.sha256(path.encode()).hexdigest()[:6]}"


@dataclass(frozen=True)
class Place:
    """Where is measured: a folder, None for a bucket, and the same as a store."""

    folder: Path | None
    store: Store


@dataclass(frozen=True)
class Measuring:
    options: Any
    place: Place

    def all(self, tests: list[str]) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for test in tests:
            way: Callable[[], dict[str, dict[str, Any]]] = getattr(self, test)
            for name, told in way().items():
                found[name] = told
                say(f"{told['title']}{_cache(told)}: {line(told)}")
        return found

    @property
    def _size(self) -> int:
        return int(self.options.size_mib) * MIB

    def sequential(self) -> dict[str, dict[str, Any]]:
        if self.place.folder is None:
            return patterns.objects(self.place.store, "large", max(1, self._size // OBJECT_BYTES), OBJECT_BYTES)
        return self._fio(fio.sequential(self._size, direct=self._direct, warm=self._fits))

    def random(self) -> dict[str, dict[str, Any]]:
        return self._fio(fio.random(self._size, self.options.seconds, direct=self._direct, warm=self._fits))

    def mixed(self) -> dict[str, dict[str, Any]]:
        return self._fio(fio.mixed(self._size, self.options.seconds, direct=self._direct))

    def frames(self) -> dict[str, dict[str, Any]]:
        chosen = self.options
        frame = int(chosen.frame_mb * 1e6) // 4096 * 4096
        of = {"frame": frame, "rate": chosen.frame_rate, "streams": chosen.streams}
        return self._fio(fio.frames(self._size, chosen.seconds, direct=self._direct, **of))

    def small_files(self) -> dict[str, dict[str, Any]]:
        count, size = self.options.files, self.options.file_kib * 1024
        if self.place.folder is None:
            return patterns.objects(self.place.store, "small", count, size)
        return self._fio(fio.small_files(count, size))

    def loader(self) -> dict[str, dict[str, Any]]:
        return {"loader": patterns.loader(self.place.store, self.options.pictures)}

    def accelerator(self) -> dict[str, dict[str, Any]]:
        """Of the samples, as many as the size allows, but two at least."""
        model = patterns.MODELS[self.options.model]
        samples = max(2, min(4 * model.batch, self._size // model.bytes))
        steps = max(2, round(self.options.seconds / model.seconds[self.options.accelerator]))
        told = patterns.accelerator(
            self.place.store, model, self.options.accelerator, samples=samples, steps=min(steps, 200)
        )
        return {f"accelerator_{model.name}_{self.options.accelerator}": told}

    def _fio(self, jobs: list[fio.Job]) -> dict[str, dict[str, Any]]:
        assert self.place.folder is not None
        return {job.name: fio.run(job, self.place.folder, self.options.seconds) for job in jobs}

    @property
    def _direct(self) -> bool:
        assert self.place.folder is not None
        return fio.goes_direct(self.place.folder)

    @property
    def _fits(self) -> bool:
        """Whether the file stays in the page cache, without which there is no warm read to measure."""
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return self._size * 2 < free


def line(told: Mapping[str, Any]) -> str:
    """The figures of a test in words."""
    parts = [f"{told['mb_per_s']:,.1f} MB/s"] if told["mb_per_s"] else []
    parts.append(f"{told['operations_per_s']:,.0f} a second")
    if "p99_ms" in told:
        parts.append(f"{told['p50_ms']:.2f} ms, 99 % within {told['p99_ms']:.2f} ms")
    if "dropped" in told:
        parts.append(f"{told['dropped']} of {told['frames']} frames dropped")
    if "busy" in told:
        enough = "fed" if told["busy"] >= told["fed"] else "not fed"
        parts.append(f"busy {told['busy']:.1%} of the time, {enough} ({told['fed']:.0%} wanted)")
    return "; ".join(parts)


def _cache(told: Mapping[str, Any]) -> str:
    return f" ({told['cache']})" if told.get("cache") else ""


@contextlib.contextmanager
def _own_folder(options: Any) -> Iterator[Place]:
    """A folder under the path that is gone afterwards. Raises BadInput for a path on which nothing can be measured."""
    path = Path(options.path)
    if not path.is_dir():
        raise BadInput(f"{path} is no folder where this program runs; mount it there, or name another --path.")
    needed = _needed(options)
    free = shutil.disk_usage(path).free
    if free < needed:
        raise BadInput(
            f"{path} has {free / 1e9:.2f} GB free and the measurement needs {needed / 1e9:.2f}; make room, or choose a "
            "smaller --size-mib."
        )
    folder = path / f"{MARK}{options.mark or os.getpid()}"
    try:
        shutil.rmtree(folder, ignore_errors=True)  # of an earlier try of this run that was killed
        folder.mkdir()
    except OSError as error:
        raise BadInput(
            f"{path} cannot be written to ({error.strerror}); mount it for writing, or name another."
        ) from None
    try:
        yield Place(folder, open_target(str(folder)))
    except OSError as error:
        raise TryAgain(
            f"{path} failed in the middle ({error.strerror or error}); what was measured is not kept."
        ) from error
    finally:
        with program.stop_deferred():
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _own_prefix(options: Any) -> Iterator[Place]:
    store = open_target(f"{options.path.rstrip('/')}/{MARK}{options.mark or os.getpid()}", connections=patterns.THREADS)
    try:
        yield Place(None, store)
    finally:
        with program.stop_deferred(), contextlib.suppress(Exception):
            for entry in store.entries():
                store.delete(entry.key)


def _needed(options: Any) -> int:
    """Bytes that are there at once, generously: the file of fio, or the samples of a model."""
    model = patterns.MODELS[options.model]
    return max(int(options.size_mib) * MIB * 5 // 4, 2 * model.bytes) + options.files * options.file_kib * 1024


def _tests(options: Any) -> list[str]:
    tests = [test for test in options.tests.split(",") if test]
    unknown = sorted(set(tests) - set(TESTS))
    if unknown or not tests:
        raise BadInput(f"There is no test {', '.join(unknown) or 'named'}; choose from {', '.join(TESTS)}.")
    if options.path.startswith("s3://"):
        left = [test for test in tests if test not in _ONLY_FILES]
        if not left:
            raise BadInput(f"{', '.join(tests)} are of files, and {options.path} is a bucket; choose others.")
        if left != tests:
            say(f"{options.path} is a bucket, in which these are not measured: {', '.join(_ONLY_FILES)}")
        return left
    return tests


def _options() -> Any:
    flags = Flags(__doc__)
    flags.add_argument("--path", required=True, help="folder on the storage, or s3://bucket/prefix")
    flags.add_argument("--results", type=Path, required=True, help="folder in which all figures are kept")
    flags.add_argument("--shown", default="", help="how reports call the path (default: as it is)")
    flags.add_argument("--mark", default="", help="of the working folder, the same in every try of a run")
    flags.add_argument("--tests", default=",".join(TESTS), help="some of these, by commas (default: all)")
    flags.add_argument("--size-mib", type=int, default=1024, help="of the file that is read and written")
    flags.add_argument("--seconds", type=float, default=10.0, help="of each test that goes by time")
    flags.add_argument("--frame-mb", type=float, default=12.7, help="size of a frame: 2K at 10 bits")
    flags.add_argument("--frame-rate", type=int, default=24, help="frames a second of a stream")
    flags.add_argument("--streams", type=int, default=2, help="of frames, side by side")
    flags.add_argument("--files", type=int, default=2000, help="small files")
    flags.add_argument("--file-kib", type=int, default=16, help="size of a small file")
    flags.add_argument("--pictures", type=int, default=512, help="that the training loader reads")
    flags.add_argument("--model", choices=sorted(patterns.MODELS), default="resnet50", help="whose samples are read")
    flags.add_argument("--accelerator", choices=("a100", "h100"), default="a100", help="that waits for them")
    options = flags.parse()
    for name in ("size_mib", "seconds", "frame_mb", "frame_rate", "streams", "files", "file_kib", "pictures"):
        if getattr(options, name) <= 0:
            raise BadInput(f"--{name.replace('_', '-')} is {getattr(options, name)} and must be above 0.")
    return options


if __name__ == "__main__":
    program.run(main)
