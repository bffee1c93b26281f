"""Measure one cell of the edge matrix, on the shared volume and on the local disk, turn and turn about.

    python -m tasks.edge.measure --work /mnt/edge_matrix/r2026... --cell int8:offline:2 --repeats 5

A cell is precision, scenario and number of servers, each a process of its own with its own LoadGen; they begin each run
together. The folder with networks and samples is copied to the local disk, and is the only difference between the two.
One repeat measures both storages, in turned order, so that what else the machine does meets both alike. Figures of
several servers become one as published: offline the sum, single stream the mean of the 90th percentiles. Multi-stream
is the mean of the 99th percentiles of 8 samples (today's) and, with ``--bound-ms``, the older figure too: the most
samples of a query whose 99th percentile keeps within the bound, summed over the servers.

Written is ``cells/<cell>.json`` of the work folder. A run that LoadGen calls INVALID makes its repeat void: none of its
figures is kept, and its reason is.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import mean
from typing import Any

from tasks.common.cli import Flags
from tasks.common.program import BadInput, run
from tasks.common.progress import say
from tasks.common.result import write_whole
from tasks.edge.loadgen import MULTI, OFFLINE, SCENARIOS, STREAMS, Server
from tasks.edge.work import NETWORKS, Work

STORAGES = ("local", "shared")
CELLS = "cells"
REPEATS, SECONDS = 5, 1.0


def main() -> dict[str, Any]:
    flags = Flags(__doc__)
    flags.add_argument("--work", type=Path, required=True, help="prepared folder, on the shared volume")
    flags.add_argument("--local", type=Path, help="folder on the local disk (default: a temporary one)")
    flags.add_argument("--cell", required=True, help="precision:scenario:servers")
    flags.add_argument("--repeats", type=int, default=REPEATS)
    flags.add_argument("--seconds", type=float, default=SECONDS, help="shortest duration of a run")
    flags.add_argument("--bound-ms", type=float, default=0.0, help="of multi-stream's older figure; 0: not measured")
    options = flags.parse()
    cell = Cell.parse(options.cell)
    work = Work.open(options.work)
    with _on_local_disk(work, options.local) as local:
        found = cell.measured(work, local, options.repeats, options.seconds, options.bound_ms)
    path = work.folder / CELLS / f"{cell.name.replace(':', '-')}.json"
    path.parent.mkdir(exist_ok=True)
    write_whole(path, json.dumps(found).encode())
    return {"cell": cell.name, "repeats": len(found["repeats"]), "invalid": found["invalid"][:3]}


class Cell:
    def __init__(self, precision: str, scenario: str, servers: int) -> None:
        self.precision, self.scenario, self.servers = precision, scenario, servers
        self.name = f"{precision}:{scenario}:{servers}"

    @classmethod
    def parse(cls, text: str) -> Cell:
        precision, _, rest = text.partition(":")
        scenario, _, servers = rest.partition(":")
        if precision not in NETWORKS or scenario not in SCENARIOS or not servers.isdecimal() or int(servers) < 1:
            raise BadInput(
                f"--cell is {text!r}; give it as precision:scenario:servers, of {', '.join(NETWORKS)}, "
                f"{', '.join(SCENARIOS)} and a number, such as int8:offline:2."
            )
        return cls(precision, scenario, int(servers))

    def measured(self, shared: Work, local: Work, repeats: int, seconds: float, bound_ms: float) -> dict[str, Any]:
        works = {"local": local, "shared": shared}
        kept: list[dict[str, Any]] = []
        invalid: list[str] = []
        with _servers(self.servers) as servers:
            for turn in range(repeats):
                order = STORAGES if turn % 2 == 0 else STORAGES[::-1]
                figures = {storage: servers.run(self, works[storage], seconds) for storage in order}
                wrong = [f"{s}: {o['reason']}" for s, found in figures.items() for o in found if not o["valid"]]
                invalid += wrong
                if not wrong:
                    kept.append({storage: self.aggregated(figures[storage]) for storage in STORAGES})
                say(f"{self.name}: repeat {turn + 1} of {repeats}" + (f" INVALID: {wrong[0]}" if wrong else ""))
            streams = None
            if bound_ms and self.scenario == MULTI:
                streams = {s: servers.streams(self, works[s], seconds, bound_ms) for s in STORAGES}
        return {
            "cell": self.name,
            "precision": self.precision,
            "scenario": self.scenario,
            "servers": self.servers,
            "unit": "samples/s" if self.scenario == OFFLINE else "ms",
            "repeats": kept,
            "invalid": invalid,
            "bound_ms": bound_ms if streams else None,
            "streams": streams,
        }

    def aggregated(self, outcomes: Sequence[dict[str, Any]]) -> dict[str, Any]:
        values = [each["value"] for each in outcomes]
        value = sum(values) if self.scenario == OFFLINE else mean(values)
        return {"value": value, "servers": values, "load_s": mean(each["load_s"] for each in outcomes)}


class _Servers:
    def __init__(self, ends: Sequence[Connection]) -> None:
        self.ends = ends

    def run(self, cell: Cell, work: Work, seconds: float, streams: int = STREAMS) -> list[dict[str, Any]]:
        """One run on every server at once; each has read the storage before any of them begins."""
        for number, end in enumerate(self.ends):
            logs = work.folder / "logs" / f"{cell.name.replace(':', '-')}-{number}"
            end.send((str(work.folder), cell.precision, cell.scenario, str(logs), seconds, streams))
        found = [end.recv() for end in self.ends]
        for each in found:
            if isinstance(each, str):
                raise RuntimeError(f"A server of cell {cell.name} ended in error: {each}")
        return found

    def streams(self, cell: Cell, work: Work, seconds: float, bound_ms: float) -> int:
        """The most samples of a query, summed over the servers, of which each server keeps within the bound."""

        def holds(count: int) -> bool:
            return all(o["valid"] and o["value"] <= bound_ms for o in self.run(cell, work, seconds, count))

        low, high = 0, 1
        while holds(high):
            low, high = high, high * 2
        while high - low > max(low // 16, 1):
            middle = (low + high) // 2
            low, high = (middle, high) if holds(middle) else (low, middle)
        return low * len(self.ends)


@contextlib.contextmanager
def _servers(count: int) -> Iterator[_Servers]:
    """Processes that do as they are told, one run after the other, until this block ends."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(count)
    ends, processes = [], []
    for _ in range(count):
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, barrier), daemon=True)
        process.start()
        theirs.close()
        ends.append(ours)
        processes.append(process)
    try:
        yield _Servers(ends)
    finally:
        for end in ends:
            end.close()  # which ends its process
        for process in processes:
            process.join(20)
            if process.is_alive():
                process.kill()


def _serve(end: Connection, barrier: Any) -> None:
    with contextlib.suppress(EOFError):
        while True:
            folder, precision, scenario, logs, seconds, streams = end.recv()
            try:
                server = Server(Work.open(Path(folder)), precision)
                barrier.wait(600)
                end.send(server.run(scenario, Path(logs), seconds=seconds, streams=streams).to_json())
            except Exception as error:
                barrier.abort()
                end.send(f"{type(error).__name__}: {error}")


@contextlib.contextmanager
def _on_local_disk(work: Work, folder: Path | None) -> Iterator[Work]:
    """The work on the local disk; a temporary folder goes with this block."""
    made = folder or Path(tempfile.mkdtemp(prefix="edge-"))
    try:
        yield work.copy_to(made)
    finally:
        if folder is None:
            shutil.rmtree(made, ignore_errors=True)


if __name__ == "__main__":
    run(main)
