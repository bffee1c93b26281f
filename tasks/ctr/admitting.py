"""Which files are days: what a file is by its first bytes, whether a day was converted whole, and which are copies."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tasks.common.program import BadInput
from tasks.common.progress import say
from tasks.ctr.blocks import as_values, batches, shown_of
from tasks.ctr.columns import NAMES
from tasks.ctr.converted import Record
from tasks.ctr.parse import Rows, parse
from tasks.ctr.reading import (
    CHUNK,
    GZIP,
    PARQUET,
    TABLE,
    Day,
    File,
    Part,
    open_file,
    parquet_file,
    read_range,
    store_of,
    unpacked,
)
from tasks.ctr.tables import STATISTICS, fault_of

HEAD = 1 << 18  # bytes of text that are looked at; some thousand rows
_SAME_ROWS = 20  # so many equal rows at the beginning of two days are no chance
_SHOWN = 5
_PUBLISHED = re.compile(r"day_?\d+", re.IGNORECASE)
_WHITE = b" \t\r\n\v\f"


@dataclass(frozen=True)
class Look:
    """A day, or why it is none; ``first`` are its first rows, or what stands for them, by which a copy is known."""

    day: Day
    reason: str = ""
    first: npt.NDArray[np.float32] | None = None
    summary: str = ""


def admitted(url: str, days: Sequence[tuple[Day, Record | None]], refused: Sequence[str], *, named: bool) -> list[Day]:
    """Those of ``days`` under ``url`` that are, each known for what it is; says which are passed over, and why.

    A day has convert's record where there is one. ``refused`` are sentences about days without files. Raises BadInput
    for a day that is damaged, half converted or there twice, for one that was ``named`` and is none, and where none is
    left.
    """
    looks = [_look(day, record) for day, record in days]
    reasons = [*refused, *(f"{_file_of(look.day)} {look.reason}" for look in looks if look.reason)]
    kept = [look for look in looks if not look.reason]
    if reasons and (named or not kept):
        raise BadInput(f"There is no click log to read under {url}: {_listed(reasons)}.")
    if reasons:
        say(f"Passed over under {url}: {_listed(reasons)}.")
    return [look.day for look in _without_copies(kept)]


def _file_of(day: Day) -> str:
    return day.files[0].key if len(day.files) == 1 else day.name


def _listed(reasons: Sequence[str]) -> str:
    more = f"; and {len(reasons) - _SHOWN} others" if len(reasons) > _SHOWN else ""
    return "; ".join(reasons[:_SHOWN]) + more


def _look(day: Day, record: Record | None) -> Look:
    if day.kind == PARQUET:
        return _look_at_parquet(day, record)
    head, whole = _head(day.url, day.files[0])
    if not head.strip(_WHITE) and whole:
        return Look(day, "has no rows: it is empty" if not head else "has no rows: all its lines are blank")
    _check_encoding(day, head)
    lines = head if whole else head[: head.rfind(b"\n") + 1]
    rows = parse(lines)
    if not rows.lines:  # one long line: whoever reads on counts it
        return Look(day)
    if len(rows.labels):
        return Look(day, first=_first(rows))
    widths = {line.count(b"\t") + 1 for line in lines.splitlines()}
    if len(NAMES) - 1 in widths and len(NAMES) not in widths:
        return Look(day, "has no label: this is the test set, of 39 columns")
    if len(NAMES) in widths or _PUBLISHED.fullmatch(day.name):
        raise BadInput(
            f"None of the first {rows.lines} lines of {day.files[0].key} under {day.url} is a row of a click log, such "
            f"as {shown_of(rows.malformed)}. A row is a label of 0 or 1, 13 integers and 26 categoricals of 8 "
            "hexadecimal digits, separated by tabs."
        )
    return Look(day, "holds no row of a click log")


def _head(url: str, file: File) -> tuple[bytes, bool]:
    """The first bytes of a text, and whether that is all of it."""
    if file.kind == GZIP:
        head = _unpacked_head(url, file)
    else:
        head = read_range(store_of(url), file.key, 0, min(HEAD + 1, file.size))
    return head[:HEAD].removeprefix(b"\xef\xbb\xbf"), len(head) <= HEAD


def _unpacked_head(url: str, file: File) -> bytes:
    """Of a file that ends too early, what there is: whoever reads it through says that it is damaged."""
    head = b""
    try:
        with unpacked(url, file) as stream:
            while len(head) <= HEAD and (more := stream.read1(HEAD + 1 - len(head))):
                head += more
    except BadInput:
        if not head:
            raise
        return head.ljust(HEAD + 1, b"\n")
    return head


def _check_encoding(day: Day, head: bytes) -> None:
    file = day.files[0]
    if head.startswith(b"\x1f\x8b"):
        raise BadInput(f"{file.key} under {day.url} is compressed by gzip and not named so: add .gz to its name.")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or head[1:64:2].count(0) > 24 or head[0:64:2].count(0) > 24:
        raise BadInput(f"{file.key} under {day.url} is text in UTF-16; save it as UTF-8.")


def _first(rows: Rows) -> npt.NDArray[np.float32]:
    return np.column_stack([rows.labels, as_values(rows.numeric)]).astype(np.float32)


def _look_at_parquet(day: Day, record: Record | None) -> Look:
    with parquet_file(day.url, day.files[0]) as opened:
        mark, schema = (opened.schema_arrow.metadata or {}).get(STATISTICS), opened.schema_arrow
    if mark is None:
        return _look_at_table(day, fault_of(schema))
    if record is None or not record.fits(day.files):
        raise BadInput(
            f"{day.name} under {day.url} is not what convert leaves when it is done, by statistics/{day.name}.json "
            "beside it: run tasks.ctr.convert again, and name the folder that it writes to."
        )
    if not record.total["rows"]:
        return Look(day, "has no rows")
    summary = json.dumps([record.total["rows"], record.columns], sort_keys=True)
    return Look(replace(day, source=record.source), summary=summary)


def _look_at_table(day: Day, fault: str) -> Look:
    if fault:
        raise BadInput(f"{day.files[0].key} under {day.url} {fault}; convert the day again.")
    table = replace(day, files=tuple(replace(file, kind=TABLE) for file in day.files))
    with parquet_file(day.url, day.files[0]) as opened:
        groups = opened.metadata.num_row_groups
    first = next(batches(Part(day.url, table.files[0], 0, min(1, groups))), None)
    if first is None or not first.lines:
        return Look(table, "has no rows" if len(day.files) == 1 else "")
    return Look(table, first=np.column_stack([first.labels, first.values]).astype(np.float32))


def _without_copies(looks: Sequence[Look]) -> list[Look]:
    """Leave out, and say so, what holds the bytes of an earlier day.

    Raises BadInput for a day that begins with an earlier one's rows and has other bytes.
    """
    kept: list[Look] = []
    for look in looks:
        for other in kept:
            if not _alike(look, other):
                continue
            if not _same_bytes(look.day, other.day):
                raise BadInput(
                    f"{_file_of(look.day)} under {look.day.url} begins with the same rows as {_file_of(other.day)}: a "
                    "model would be judged by rows that it has trained on. Keep one of them, or name days by --day."
                )
            say(
                f"{_file_of(look.day)} under {look.day.url} is a copy of {_file_of(other.day)} and left out: a model "
                "would be judged by rows that it has trained on."
            )
            break
        else:
            kept.append(look)
    return kept


def _alike(one: Look, other: Look) -> bool:
    if one.first is None or other.first is None:
        return bool(one.summary) and one.summary == other.summary
    rows = min(len(one.first), len(other.first))
    return rows >= _SAME_ROWS and bool(np.array_equal(one.first[:rows], other.first[:rows]))


def _same_bytes(one: Day, other: Day) -> bool:
    if one.source or other.source:
        return True  # equal in every column's sum: Parquet of the same rows
    pairs = zip(one.files, other.files, strict=False)
    sizes = [[file.size for file in day.files] for day in (one, other)]
    return sizes[0] == sizes[1] and all(_digest(one.url, a) == _digest(other.url, b) for a, b in pairs)


def _digest(url: str, file: File) -> str:
    digest = hashlib.sha256()
    with open_file(url, file) as opened:
        while content := opened.read(CHUNK):
            digest.update(content)
    return digest.hexdigest()
