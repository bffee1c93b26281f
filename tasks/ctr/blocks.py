"""A part's rows as arrays, from text or Parquet alike."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.common.program import BadInput
from tasks.common.progress import say
from tasks.ctr.columns import LABEL, MISSING, NUMERIC
from tasks.ctr.compiled import compiled
from tasks.ctr.parse import Malformed, parse
from tasks.ctr.reading import PARQUET, TABLE, Part, lines_of, parquet_file
from tasks.ctr.tables import STATISTICS, sorted_out

MALFORMED_SHARE = 0.001
_ROWS = 1 << 16  # of Parquet at a time
_ESCAPED = {code: repr(chr(code))[1:-1] for code in (*range(32), 127)}
_NONE = np.empty(0, np.int64)


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
    """How many rows a part has, and which of its lines are none.

    ``first`` and ``last`` are the places of the first and last row of label 0 and of label 1, -1 where there is none.
    ``left_out`` is what convert left out where it made the part.
    """

    rows: int
    lines: int
    bad_lines: npt.NDArray[np.int64]
    malformed: Malformed
    first: tuple[int, int] = (-1, -1)
    last: tuple[int, int] = (-1, -1)
    left_out: Malformed = field(default_factory=Malformed)


def batches(part: Part) -> Iterator[Batch]:
    """Yield a part's rows in order, some tens of thousands at a time."""
    if part.file.kind in (PARQUET, TABLE):
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
    """Read the part through; of what convert has written, only the labels."""
    if part.file.kind == PARQUET:
        return counted(part, _labels(part))
    if part.file.kind == TABLE:
        return counted(part, batches(part))
    return counted(part, map(parse, lines_of(part)))


def counted(part: Part, read: Iterable[Any]) -> Count:
    """Sum up what was read of a part: batches, or anything with their ``labels``, ``lines`` and malformed ones."""
    rows, lines, bad, malformed = 0, 0, [_NONE], Malformed()
    first, last = [-1, -1], [-1, -1]
    for found in read:
        bad.append(found.bad_lines + lines)
        for label in (0, 1):
            places = np.flatnonzero(found.labels == label)
            if len(places):
                first[label] = first[label] if first[label] >= 0 else rows + int(places[0])
                last[label] = rows + int(places[-1])
        rows, lines, malformed = rows + len(found.labels), lines + found.lines, malformed + found.malformed
    ends = (first[0], first[1]), (last[0], last[1])
    return Count(rows, lines, np.concatenate(bad), malformed, *ends, left_out(part))


def left_out(part: Part) -> Malformed:
    """What convert left out where it made the file that begins with this part."""
    if part.file.kind != PARQUET or part.start:
        return Malformed()
    with parquet_file(part.url, part.file) as opened:
        told = json.loads((opened.schema_arrow.metadata or {}).get(STATISTICS, b"{}"))
    return Malformed(told.get("malformed", 0), tuple(told.get("examples", ())))


def check_malformed(malformed: Malformed, rows: int, share: float, url: str) -> None:
    """Says how many rows were left out. Raises BadInput where they are more than ``share`` of all."""
    if not malformed.count:
        return
    found = (
        f"{malformed.count} of {rows + malformed.count} rows under {url} are malformed, such as {shown_of(malformed)}"
    )
    if malformed.count > share * (rows + malformed.count):
        raise BadInput(f"{found}: mend the data, or raise --malformed-share above {share:g}.")
    say(f"Left out: {found}.")


def shown_of(malformed: Malformed) -> str:
    """The examples for a line of a log, which a control character would rewrite or hide."""
    return "; ".join(f'"{example}"' for example in malformed.examples).translate(_ESCAPED)


def _labels(part: Part) -> Iterator[Batch]:
    with parquet_file(part.url, part.file) as opened:
        groups = list(range(part.start, part.stop))
        for batch in opened.iter_batches(_ROWS, groups, columns=[LABEL], use_threads=False):
            labels = batch.column(LABEL).to_numpy(zero_copy_only=False).astype(np.uint8)
            yield Batch(labels, np.empty((0, len(NUMERIC)), np.float32), len(labels), _NONE, Malformed())


def _parquet_batches(part: Part) -> Iterator[Batch]:
    with parquet_file(part.url, part.file) as opened:
        wanted = [LABEL, *NUMERIC]
        absent = sorted(set(wanted) - set(opened.schema_arrow.names))
        if absent:
            raise BadInput(f"{part.file.key} under {part.url} has no column {absent[0]}; convert the day again.")
        groups = list(range(part.start, part.stop))
        treat = _from_arrow if part.file.kind == PARQUET else _from_table
        for batch in opened.iter_batches(_ROWS, groups, columns=wanted, use_threads=False):
            yield treat(batch)


def _from_arrow(batch: Any) -> Batch:
    values = np.empty((batch.num_rows, len(NUMERIC)), np.float32)
    for place, name in enumerate(NUMERIC):
        values[:, place] = batch.column(name).fill_null(0).to_numpy(zero_copy_only=False)
    labels = batch.column(LABEL).to_numpy(zero_copy_only=False).astype(np.uint8)
    return Batch(labels, values, batch.num_rows, _NONE, Malformed())


def _from_table(batch: Any) -> Batch:
    labels, numeric, bad, malformed = sorted_out(batch)
    return Batch(labels, as_values(numeric), batch.num_rows, bad, malformed)
