"""A part's rows as arrays, from text or Parquet alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.common.program import BadInput
from tasks.common.progress import say
from tasks.ctr.columns import LABEL, MISSING, NUMERIC
from tasks.ctr.compiled import compiled
from tasks.ctr.days import PARQUET, Part, lines_of, parquet_file
from tasks.ctr.parse import Malformed, parse

MALFORMED_SHARE = 0.001


@dataclass(frozen=True)
class Batch:
    """``labels`` uint8 [N], ``values`` float32 [N, 13] with missing as 0, and what the text held besides."""

    labels: npt.NDArray[np.uint8]
    values: npt.NDArray[np.float32]
    lines: int
    bad_lines: npt.NDArray[np.int64]
    malformed: Malformed


@dataclass(frozen=True)
class Count:
    """How many rows a part has, and which of its lines are none."""

    rows: int
    lines: int
    bad_lines: npt.NDArray[np.int64]
    malformed: Malformed


def batches(part: Part) -> Iterator[Batch]:
    """Yield a part's rows in order, some tens of thousands at a time."""
    if part.file.kind == PARQUET:
        yield from _parquet_batches(part)
        return
    for text in lines_of(part):
        rows = parse(text)
        yield Batch(rows.labels, as_values(rows.numeric), rows.lines, rows.bad_lines, rows.malformed)


@compiled
def as_values(numeric: Any) -> Any:
    """float32 with missing as 0, of int32 [N, 13]."""
    values = np.empty(numeric.shape, np.float32)
    for row in range(numeric.shape[0]):
        for column in range(numeric.shape[1]):
            value = numeric[row, column]
            values[row, column] = 0 if value == MISSING else value
    return values


def count(part: Part) -> Count:
    """Read the part through, unless it is Parquet, which knows."""
    if part.file.kind == PARQUET:
        with parquet_file(part.url, part.file) as opened:
            rows = sum(opened.metadata.row_group(group).num_rows for group in range(part.start, part.stop))
        return Count(rows, rows, np.empty(0, np.int64), Malformed())
    rows, lines, bad, malformed = 0, 0, [np.empty(0, np.int64)], Malformed()
    for text in lines_of(part):
        found = parse(text)
        bad.append(found.bad_lines + lines)
        rows, lines, malformed = rows + len(found.labels), lines + found.lines, malformed + found.malformed
    return Count(rows, lines, np.concatenate(bad), malformed)


def check_malformed(malformed: Malformed, rows: int, share: float, url: str) -> None:
    """Says how many rows were left out. Raises BadInput where they are more than ``share`` of all."""
    if not malformed.count:
        return
    examples = "; ".join(f'"{example}"' for example in malformed.examples)
    found = f"{malformed.count} of {rows + malformed.count} rows under {url} are malformed, such as {examples}"
    if malformed.count > share * (rows + malformed.count):
        raise BadInput(f"{found}: mend the data, or raise --malformed-share above {share:g}.")
    say(f"Left out: {found}.")


def _parquet_batches(part: Part) -> Iterator[Batch]:
    with parquet_file(part.url, part.file) as opened:
        wanted = [LABEL, *NUMERIC]
        absent = sorted(set(wanted) - set(opened.schema_arrow.names))
        if absent:
            raise BadInput(f"{part.file.key} under {part.url} has no column {absent[0]}; convert the day again.")
        groups = list(range(part.start, part.stop))
        for batch in opened.iter_batches(1 << 16, groups, columns=wanted, use_threads=False):
            yield _from_arrow(batch)


def _from_arrow(batch: Any) -> Batch:
    values = np.empty((batch.num_rows, len(NUMERIC)), np.float32)
    for place, name in enumerate(NUMERIC):
        values[:, place] = batch.column(name).fill_null(0).to_numpy(zero_copy_only=False)
    labels = batch.column(LABEL).to_numpy(zero_copy_only=False).astype(np.uint8)
    return Batch(labels, values, batch.num_rows, np.empty(0, np.int64), Malformed())
