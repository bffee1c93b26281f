"""Documents are read in processes of their own, each with its limits: what is in one can harm nothing but itself.

A process is forked for each document from a server that has loaded the readers once, so that it costs milliseconds.
"""

from __future__ import annotations

import functools
import json
import multiprocessing
import resource
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tasks.documents.convert import Document, Unreadable, read

MEMORY_MIB = 1024
SECONDS = 60.0
MOST_MB = 100


@dataclass(frozen=True)
class Limits:
    """Of one document: megabytes of its file, seconds to read it, and MiB of memory beyond what its readers take."""

    most_mb: float = MOST_MB
    seconds: float = SECONDS
    memory_mib: int = MEMORY_MIB


def read_all(paths: Sequence[Path], limits: Limits, at_once: int) -> Iterator[Document | Unreadable]:
    """Read documents in their order, ``at_once`` at a time; what cannot be read comes as its reason."""
    with ThreadPoolExecutor(at_once) as threads:
        yield from threads.map(lambda path: read_apart(path, limits), paths)


def read_apart(path: Path, limits: Limits) -> Document | Unreadable:
    """Read one document in a process of its own."""
    size = path.stat().st_size
    if size > limits.most_mb * 1e6:
        return Unreadable(f"has {size / 1e6:,.0f} MB, more than the {limits.most_mb:g} MB that are read; divide it")
    own, others = _context().Pipe(duplex=False)
    reader = _context().Process(target=_work, args=(str(path), limits, others), daemon=True)
    reader.start()
    others.close()
    try:
        if not own.poll(limits.seconds):
            return Unreadable(f"took longer than {limits.seconds:g} s to read; save it anew, or divide it")
        told: dict[str, Any] = json.loads(own.recv_bytes())
    except EOFError:
        reader.join()
        return Unreadable(f"broke the process that read it (exit code {reader.exitcode}); save it anew")
    finally:
        own.close()
        reader.kill()
        reader.join()
        reader.close()
    return Unreadable(told["unreadable"]) if "unreadable" in told else Document.from_json(told)


@functools.cache
def _context() -> Any:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tasks.documents.preloaded"])
    return context


def _work(path: str, limits: Limits, answer: Connection) -> None:
    """Of the child: read, and tell it as JSON, which unlike a pickle does nothing to whoever reads it."""
    _confine(limits)
    try:
        told = read(Path(path)).as_json()
    except Unreadable as error:
        told = {"unreadable": str(error)}
    except MemoryError:
        told = {"unreadable": f"needs more than {limits.memory_mib} MiB of memory to be read; divide it"}
    except RecursionError:
        told = {"unreadable": "is broken: it is nested deeper than any document"}
    answer.send_bytes(json.dumps(told).encode())


def _confine(limits: Limits) -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + (limits.memory_mib << 20)
    seconds = round(limits.seconds) + 1
    for what, limit in (
        (resource.RLIMIT_AS, most),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (limit, limit))
