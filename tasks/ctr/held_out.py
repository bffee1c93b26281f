"""Which rows a model has trained on, and the last rows of the days, by which models are judged.

A training reads the first rows of each day, so a model says for each day how many, and by what the day is known: the
digest of its first rows as they are read. A day is known by that under any name, as text and as Parquet, and after
rows were added at its end.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.common.judging import Incomparable, Model
from tasks.common.metrics import Booleans, Floats
from tasks.common.onnx_model import OnnxModel
from tasks.common.program import BadInput
from tasks.ctr.blocks import Batch, batches, count
from tasks.ctr.days import parts_of
from tasks.ctr.forest import INPUT, OUTPUT
from tasks.ctr.reading import Day, Part
from tasks.ctr.selection import Piece

HEAD_ROWS = 1000
_PART_BYTES = 16 << 20


@dataclass(frozen=True)
class TrainedDay:
    """The first ``rows`` of a day that a model has trained on; ``head`` is the digest of its first ``head_rows``."""

    day: str
    rows: int
    head: str
    head_rows: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> TrainedDay:
        return cls(str(told["day"]), int(told["rows"]), str(told["head"]), int(told["head_rows"]))


def trained_days(days: Sequence[Day], train: Sequence[Piece]) -> list[TrainedDay]:
    """For the model's description. ``train`` are the pieces of the days that it was trained on."""
    found = []
    for day in days:
        keys = {file.key for file in day.files}
        rows = sum(piece.rows for piece in train if piece.part.file.key in keys)
        if rows:
            head_rows = min(HEAD_ROWS, rows)
            found.append(TrainedDay(day.name, rows, head_of(day, head_rows), head_rows))
    return found


@functools.lru_cache(maxsize=256)
def head_of(day: Day, rows: int) -> str:
    """SHA-256 of the labels and numbers of a day's first well-formed rows; "" for a day of fewer rows."""
    digest = hashlib.sha256()
    for batch in _batches(day):
        taken = min(rows, len(batch.labels))
        digest.update(np.column_stack([batch.labels[:taken], batch.values[:taken]]).astype("<f4").tobytes())
        rows -= taken
        if not rows:
            return digest.hexdigest()
    return ""


def _batches(day: Day) -> Iterator[Batch]:
    return (batch for part in parts_of(day, _PART_BYTES) for batch in batches(part))


@dataclass(frozen=True)
class Tail:
    """The last rows of a day: ``values`` [N, 13], ``labels`` [N]. ``before`` are the parts that were not read and
    ``left`` the rows of the others that were not taken."""

    day: Day
    values: npt.NDArray[np.float32]
    labels: npt.NDArray[np.uint8]
    before: Sequence[Part]
    left: int

    @property
    def first(self) -> int:
        """Place of the first of these rows in the day; reads what comes before, unless that is Parquet."""
        return self.left + sum(count(part).rows for part in self.before)


def tails(days: Sequence[Day], wanted: int) -> list[Tail]:
    """Return the days' last ``wanted`` well-formed rows, in order. Raises BadInput when there are not so many."""
    found: list[Tail] = []
    missing = wanted
    for day in reversed(days):
        if missing <= 0:
            break
        tail = _tail(day, missing)
        found.insert(0, tail)
        missing -= len(tail.labels)
    if missing > 0:
        raise BadInput(
            f"{wanted - missing} rows are under {days[0].url}, and {wanted} were held out: give the same data."
        )
    return found


def _tail(day: Day, wanted: int) -> Tail:
    parts = parts_of(day, _PART_BYTES)
    read: list[Batch] = []
    rows = 0
    while parts and rows < wanted:
        batch = list(batches(parts.pop()))
        read = batch + read
        rows += sum(len(b.labels) for b in batch)
    taken = min(wanted, rows)
    values = np.concatenate([b.values for b in read] or [np.empty((0, 13), np.float32)])
    labels = np.concatenate([b.labels for b in read] or [np.empty(0, np.uint8)])
    return Tail(day, values[rows - taken :], labels[rows - taken :], parts, rows - taken)


class HeldOutRows:
    """The last rows of the days, as many as the first model's training held out."""

    def __init__(self, days: Sequence[Day], wanted: int, threads: int) -> None:
        self._tails = tails(days, wanted)
        self._threads = threads
        self.positives: Booleans = np.concatenate([tail.labels for tail in self._tails]).astype(bool)
        self._values = np.concatenate([tail.values for tail in self._tails])

    def unseen(self, model: Model) -> Booleans:
        trained = days_trained(model)
        return np.concatenate([_unseen(tail, trained) for tail in self._tails])

    def scores(self, model: Model) -> Floats:
        network = OnnxModel.load(model.onnx, inputs=INPUT, outputs=OUTPUT, threads=self._threads)
        return network(self._values)[:, 1]


def days_trained(model: Model) -> list[TrainedDay]:
    """Return what a model has trained on. Raises Incomparable where it does not say so."""
    try:
        return [TrainedDay.from_json(told) for told in model.data["trained_on"]]
    except (KeyError, TypeError, ValueError):
        raise Incomparable(
            f"Model {model.name} does not say which rows it has trained on, so it may have trained on these; "
            "train it again, or promote without a comparison"
        ) from None


def rows_trained(day: Day, trained: Sequence[TrainedDay]) -> int:
    """Return how many first rows of a day a model has trained on; 0 for a day that it does not know."""
    return max((told.rows for told in trained if head_of(day, told.head_rows) == told.head), default=0)


def _unseen(tail: Tail, trained: Sequence[TrainedDay]) -> Booleans:
    rows = rows_trained(tail.day, trained)
    if not rows:
        return np.ones(len(tail.labels), bool)
    return tail.first + np.arange(len(tail.labels)) >= rows
