"""The forest on Dask workers without GPUs.

Every part of the data stays on a worker, first as codes (27 bytes a row), then as bins (14 bytes) with a state for each
tree (20 bytes). Only sketches, counts and the forest itself travel. Every task can be done again from its inputs, so a
worker that is lost costs the time of what it held, no more.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tasks.common.progress import Progress, say
from tasks.common.result import write_whole
from tasks.ctr import binning, growing
from tasks.ctr.blocks import Batch, Count, batches, counted
from tasks.ctr.engines import Job, Outcome, selected
from tasks.ctr.engines.cluster import connected
from tasks.ctr.engines.memory import peak_bytes
from tasks.ctr.forest import Forest
from tasks.ctr.growing import Growth, Level, Settings
from tasks.ctr.reading import Part
from tasks.ctr.selection import Piece, Selection

if TYPE_CHECKING:
    from distributed import Client, Future

FAN_IN = 8


@dataclass(frozen=True)
class Loaded:
    """A part: ``codes`` uint16 [N, 13], ``labels`` uint8 [N]."""

    codes: binning.Codes
    labels: npt.NDArray[np.uint8]
    count: Count


@dataclass(frozen=True)
class Block:
    """A part's training rows: ``bins`` uint8 [N, 13], ``labels`` uint8 [N]."""

    bins: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8]


def train(job: Job) -> Outcome:
    with ExitStack() as cluster:
        with job.timer.measure("start"):
            client = cluster.enter_context(connected(job.scheduler, job.memory_limit, job.dashboard, job.scratch))
        return _Training(client, job).run()


class _Training:
    def __init__(self, client: Client, job: Job) -> None:
        self.client, self.job = client, job
        self._loaded: dict[int, Future] = {}
        self._name = f"ctr-{uuid.uuid4().hex[:8]}"
        self._submitted = 0

    def run(self) -> Outcome:
        job = self.job
        with job.timer.measure("load"):
            selection = selected(job, self._load)
            growth = _resume(job) or Growth.start(job.settings, self._cuts(selection))
            blocks = self._blocks(selection, growth)
        with job.timer.measure("train"):
            self._grow(growth, blocks, [piece.index for piece in selection.train])
        del blocks
        forest = growth.forest()
        with job.timer.measure("evaluate"):
            scores, labels = self._judge(forest, selection)
        peaks = self.client.run(peak_bytes)
        in_process = self.job.scheduler == "in-process"
        memory = {"program": peak_bytes(), "workers": 0 if in_process else sum(peaks.values())}
        return Outcome(forest, selection, scores, labels, memory, {"workers": len(peaks)})

    def _submit(self, function: Callable[..., Any], *arguments: Any) -> Future:
        self._submitted += 1
        key = f"{function.__name__.strip('_')}-{self._name}-{self._submitted}"
        return self.client.submit(function, *arguments, key=key, pure=False)

    def _load(self, indices: Iterable[int]) -> dict[int, Count]:
        from distributed import as_completed

        counting = {}
        for index in indices:
            self._loaded[index] = self._submit(load, self.job.parts[index])
            counting[self._submit(_count_of, self._loaded[index])] = index
        size = sum(_size(self.job.parts[index]) for index in counting.values())
        found = {}
        with Progress(size, "B", "Loading") as progress:
            for future, count in as_completed(counting, with_results=True):
                index = counting.pop(future)
                found[index] = count
                progress.advance(_size(self.job.parts[index]))
        return found

    def _cuts(self, selection: Selection) -> list[binning.Codes]:
        sketches = [self._submit(_sketch, self._loaded[p.index], p.first, p.last) for p in selection.train]
        return binning.cuts_of(self._sum(sketches, binning.merge), self.job.settings.bins)

    def _blocks(self, selection: Selection, growth: Growth) -> list[Future]:
        from distributed import wait

        pieces = selection.train
        blocks = [self._submit(_block, self._loaded[p.index], p.first, p.last, growth.cuts) for p in pieces]
        self._loaded.clear()
        wait(blocks)
        return blocks

    def _grow(self, growth: Growth, blocks: list[Future], numbers: Sequence[int]) -> None:
        settings = self.job.settings
        states = [
            self._submit(_states, block, settings, number, growth.levels[1:])
            for block, number in zip(blocks, numbers, strict=True)
        ]
        with Progress(settings.depth, "levels", "Growing") as progress:
            progress.advance(growth.depth)
            while not growth.finished:
                level = growth.levels[-1]
                counts = [self._submit(_tally, b, s, level, settings.bins) for b, s in zip(blocks, states, strict=True)]
                growth.split(self._sum(counts, _add))
                write_whole(self.job.checkpoint, self.job.identity.encode() + growth.to_bytes())
                progress.advance(1, f"{sum(map(len, growth.open))} open nodes in {settings.trees} trees")
                if not growth.finished:
                    below = growth.levels[-1]
                    states = [self._submit(_step, b, s, below) for b, s in zip(blocks, states, strict=True)]

    def _sum(self, futures: list[Future], add: Callable[[list[Any]], Any]) -> Any:
        """Add up on the workers, a few at a time, so that nobody holds all of them."""
        while len(futures) > 1:
            futures = [self._submit(add, futures[at : at + FAN_IN]) for at in range(0, len(futures), FAN_IN)]
        return futures[0].result()

    def _judge(self, forest: Forest, selection: Selection) -> tuple[Any, Any]:
        content = forest.to_bytes()
        answers = self.client.gather([self._submit(score_piece, piece, content) for piece in selection.test])
        return np.concatenate([scores for scores, _ in answers]), np.concatenate([labels for _, labels in answers])


def _size(part: Part) -> int:
    return part.stop - part.start if part.file.kind == "text" else part.file.size


def _resume(job: Job) -> Growth | None:
    """Return the forest of an earlier try with the same data and settings."""
    digest = job.identity.encode()
    if not job.checkpoint.is_file():
        return None
    content = job.checkpoint.read_bytes()
    if not content.startswith(digest):
        say(f"{job.checkpoint} is of another training and is not used.")
        return None
    growth = Growth.from_bytes(content[len(digest) :])
    say(f"Going on from {job.checkpoint}: {growth.depth} levels are grown.")
    return growth


def load(part: Part) -> Loaded:
    codes, labels = [], []

    def kept() -> Iterator[Batch]:
        for batch in batches(part):
            codes.append(binning.encode(batch.values))
            labels.append(batch.labels)
            yield batch

    count = counted(part, kept())
    return Loaded(_joined(codes, (0, 13), np.uint16), _joined(labels, (0,), np.uint8), count)


def _joined(arrays: list[Any], empty: tuple[int, ...], kind: Any) -> Any:
    return np.concatenate(arrays) if arrays else np.empty(empty, kind)


def _count_of(loaded: Loaded) -> Count:
    return loaded.count


def _sketch(loaded: Loaded, first: int, last: int) -> binning.Sketch:
    return binning.Sketch.of(loaded.codes[first:last])


def _block(loaded: Loaded, first: int, last: int, cuts: list[binning.Codes]) -> Block:
    return Block(binning.apply(loaded.codes[first:last], cuts), loaded.labels[first:last].copy())


def _states(block: Block, settings: Settings, number: int, levels: list[Level]) -> growing.States:
    """Where the rows are after the levels grown so far."""
    states = growing.start_rows(len(block.labels), settings, number)
    for level in levels:
        states = growing.step(block.bins, states, level)
    return states


def _step(block: Block, states: growing.States, level: Level) -> growing.States:
    return growing.step(block.bins, states, level)


def _tally(block: Block, states: growing.States, level: Level, bins: int) -> npt.NDArray[np.int32]:
    return growing.tally(block.bins, block.labels, states, level, bins)


def _add(counts: list[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    return np.sum(counts, axis=0, dtype=np.int64)


def score_piece(piece: Piece, forest: bytes) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.uint8]]:
    """Predictions and labels of a piece's rows."""
    from tasks.ctr.pieces import rows_of

    grown = Forest.from_bytes(forest)
    found = [(grown.predict(values), labels) for values, labels in rows_of(piece)]
    return np.concatenate([scores for scores, _ in found]), np.concatenate([labels for _, labels in found])
