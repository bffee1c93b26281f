"""Says how warm a cache is, by reading the same sample of its files twice.

    python -m tasks.data.warmth --folder /mnt/tyre_images --files 200

ONTAP tells no percentage of what a FlexCache holds, so it is measured. The first reading brings from the origin what
the cache has not, the second finds it there. Before each, this machine's own memory of the files is given up, so that
both go over the network. Where the first is nearly as fast as the second, the cache was warm. The sample depends on the
names of the files and on ``--seed`` only, so that two measurements read the same.

Result: ``files`` and ``bytes`` of the sample, ``first`` and ``second`` (``mb_s``, ``files_s``, ``seconds``), ``ratio``
(speed of the first to that of the second), and ``verdict``: ``warm``, ``cold`` or ``too_little_to_tell``.
Exit code 2, with a sentence, for a folder without files and for a file that cannot be read.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tasks.common.cli import Flags
from tasks.common.listing import Local, is_data, readable, walk
from tasks.common.program import BadInput, run
from tasks.common.progress import Progress, say

BLOCK = 1 << 20
LEAST_BYTES = 1 << 20  # below it, opening files takes longer than reading them
LEAST_S = 0.02  # of one reading; below it, chance decides
WARM, COLD, UNTOLD = "warm", "cold", "too_little_to_tell"


def warmth(options: argparse.Namespace, clock: Callable[[], float] = time.perf_counter) -> dict[str, Any]:
    if not options.folder.is_dir():
        raise BadInput(f"{options.folder} is no folder; mount the cache there, or correct --folder.")
    chosen = sample(list(walk(options.folder, follow=False)), options.files, options.seed)
    if not chosen:
        raise BadInput(f"{options.folder} holds no file that could be read.")
    size = sum(local.size for local in chosen)
    first, second = (read_all(options.folder, chosen, name, clock) for name in ("First", "Second"))
    ratio = second / first if first else 1.0
    verdict = judged(ratio, size, min(first, second), options.warm_from)
    say(f"{options.folder}: {verdict}; the first reading was {ratio:.2f} times as fast as the second")
    facts = {"first": speed(first, size, len(chosen)), "second": speed(second, size, len(chosen))}
    return {"files": len(chosen), "bytes": size, **facts, "ratio": round(ratio, 3), "verdict": verdict}


def sample(found: Sequence[Local], count: int, seed: int) -> list[Local]:
    """The files whose names have the lowest digests, in that order: the same for the same names, spread over all."""
    files = [readable(local) for local in found if local.size != 0 and is_data(local.key)]

    def rank(local: Local) -> bytes:
        return hashlib.sha256(f"{seed}\0{local.key}".encode(errors="surrogateescape")).digest()

    return sorted(files, key=rank)[:count]


def read_all(folder: Path, files: Sequence[Local], name: str, clock: Callable[[], float]) -> float:
    """Read every file to its end; seconds that only the reading took."""
    took = 0.0
    with Progress(len(files), "files", f"{name} reading") as progress:
        for local in files:
            took += read(folder / local.key, clock)
            progress.advance()
    return took


def read(path: Path, clock: Callable[[], float]) -> float:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}. Is the cache's origin away?") from None
    try:
        with contextlib.suppress(OSError, AttributeError):  # not every file system, and not every system, takes advice
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        began = clock()
        while os.read(descriptor, BLOCK):
            pass
        return clock() - began
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}. Is the cache's origin away?") from None
    finally:
        os.close(descriptor)


def judged(ratio: float, size: int, shortest_s: float, warm_from: float) -> str:
    if size < LEAST_BYTES or shortest_s < LEAST_S:
        return UNTOLD
    return WARM if ratio >= warm_from else COLD


def speed(seconds: float, size: int, files: int) -> dict[str, float]:
    """Of one reading; MB are millions of bytes."""
    per_second = 1 / seconds if seconds else 0.0
    return {
        "mb_s": round(size / 1e6 * per_second, 2),
        "files_s": round(files * per_second, 1),
        "seconds": round(seconds, 4),
    }


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    flags = Flags(__doc__)
    flags.add_argument("--folder", type=Path, required=True, help="where the cache is mounted, or a folder in it")
    flags.add_argument("--files", type=int, default=200, help="files in the sample")
    flags.add_argument("--seed", type=int, default=1, help="another number chooses other files")
    flags.add_argument(
        "--warm-from", type=float, default=0.7, help="speed of the first reading, to that of the second, that is warm"
    )
    options = flags.parse(arguments)
    if options.files < 1:
        raise BadInput(f"--files is {options.files}; give at least 1.")
    return options


if __name__ == "__main__":
    run(lambda: warmth(parse()))
