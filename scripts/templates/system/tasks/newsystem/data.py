"""Rows of a dataset version, split into what is trained on and what is held out."""

from __future__ import annotations

import csv
import hashlib
import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tasks.common.data import Store
from tasks.common.lineage import Dataset, dataset
from tasks.common.listing import only_data
from tasks.common.program import BadInput
from tasks.common.run_file import RunFile
from tasks.newsystem.configs import FEATURES, HELD_OUT_SHARE, LABEL

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Rows:
    """``features`` is [N, number of features], ``labels`` [N] of 0 and 1."""

    features: Floats
    labels: Integers

    def __len__(self) -> int:
        return len(self.labels)


def load(store: Store) -> tuple[Rows, Rows]:
    """(training, held out). Raises BadInput, naming the file and line, for what is not such a table."""
    sides: tuple[list[list[float]], list[list[float]]] = ([], [])
    for entry in only_data(store.entries(), store.url):
        if entry.key.endswith(".csv"):
            for row in _rows(store.read(entry.key).decode(), f"{store.url}/{entry.key}"):
                sides[is_held_out(row)].append(row)
    training, held_out = (_as_rows(rows) for rows in sides)
    if not len(training) or not len(held_out):
        raise BadInput(f"{store.url} has {len(training)} rows to train on and {len(held_out)} held out; add more data.")
    return training, held_out


def lineage(run: RunFile | None, url: str, training: Rows, held_out: Rows) -> Dataset:
    """What MLflow is told of the rows that were read."""
    told = hashlib.sha256()
    for part in (training, held_out):
        told.update(part.features.tobytes() + part.labels.tobytes())
    profile = {"training": len(training), "held_out": len(held_out)}
    return dataset(run, url, told.hexdigest(), profile=profile, schema={"columns": [*FEATURES, LABEL]})


def is_held_out(row: list[float]) -> bool:
    digest = hashlib.sha256(repr(row).encode()).digest()
    return int.from_bytes(digest[:8], "big") < HELD_OUT_SHARE * 2**64


def _rows(text: str, name: str) -> list[list[float]]:
    reader = csv.DictReader(io.StringIO(text))
    missing = [column for column in (*FEATURES, LABEL) if column not in (reader.fieldnames or ())]
    if missing:
        raise BadInput(f"{name} has no column {', '.join(missing)}; its first line must name the columns.")
    rows = []
    for number, row in enumerate(reader, start=2):
        try:
            values = [float(row[column]) for column in (*FEATURES, LABEL)]
        except (TypeError, ValueError):
            raise BadInput(f"{name}:{number} is not {len(FEATURES) + 1} numbers: {dict(row)}.") from None
        if not np.isfinite(values).all() or values[-1] not in (0.0, 1.0):
            raise BadInput(f"{name}:{number} has a value that is not finite, or a label that is neither 0 nor 1.")
        rows.append(values)
    return rows


def _as_rows(rows: list[list[float]]) -> Rows:
    table = np.array(rows, np.float32).reshape(-1, len(FEATURES) + 1)
    return Rows(table[:, :-1], table[:, -1].astype(np.int64))
