"""What the tables beside the pictures say: findings and patient of each picture, and on which side it is.

    Data_Entry_2017*.csv                   Image Index, Finding Labels (``Effusion|Mass``), Patient ID, and more
    train_val_list.txt, test_list.txt      the official split, a picture's name a line; one of them will do

Without a list, patients are parted by the digest of their number, always in the same way.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from tasks.chest import findings
from tasks.common.data import Entry, Store
from tasks.common.program import BadInput
from tasks.common.progress import say
from tasks.common.split import is_held_out

PICTURE, LABELS, PATIENT = "Image Index", "Finding Labels", "Patient ID"
TRAIN_LIST, TEST_LIST = "train_val_list.txt", "test_list.txt"
HELD_OUT_SHARE = 0.2  # of the patients, where there is no official split; that one holds out 23 % of the pictures
_TABLE = re.compile(r"Data_Entry[^/]*\.csv", re.IGNORECASE)


@dataclass(frozen=True)
class Row:
    """One line of the table: a picture by its file's name."""

    picture: str
    patient: str
    findings: frozenset[str]
    line: int


@dataclass(frozen=True)
class Table:
    """``held_out`` are patients. ``files`` are the keys of what was read, for the digest of the data."""

    name: str
    rows: tuple[Row, ...]
    held_out: frozenset[str]
    official: bool
    files: tuple[str, ...]


def read(store: Store, entries: Sequence[Entry]) -> Table:
    """Read table and lists. Raises BadInput, naming file and line, for what cannot be meant."""
    key = _table_key(store, entries)
    rows = _rows(f"{store.url.rstrip('/')}/{key}", store.read(key))
    lists = {name: found for name in (TRAIN_LIST, TEST_LIST) if (found := _named(entries, name))}
    if not lists:
        say(f"There is no {TRAIN_LIST} or {TEST_LIST}: {HELD_OUT_SHARE:.0%} of the patients are held out.")
        apart = frozenset(row.patient for row in rows if _by_digest(row.patient))
        return Table(key, rows, apart, False, (key,))
    listed = {name: _listed(store.read(path)) for name, path in lists.items()}
    rows, held_out = _official(rows, listed)
    return Table(key, rows, held_out, True, (key, *lists.values()))


def _table_key(store: Store, entries: Sequence[Entry]) -> str:
    found = [e.key for e in entries if _TABLE.fullmatch(PurePosixPath(e.key).name)]
    if len(found) == 1:
        return found[0]
    if found:
        raise BadInput(f"There are {len(found)} tables under {store.url} ({', '.join(found[:3])}): keep one of them.")
    raise BadInput(
        f"There is no Data_Entry_2017.csv under {store.url}: expected NIH's layout, with that table beside "
        "images/ or images_001/images/ of PNG files."
    )


def _rows(name: str, content: bytes) -> tuple[Row, ...]:
    try:
        reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))
        names = reader.fieldnames or ()
    except UnicodeDecodeError as error:
        raise BadInput(f"{name} is no text in UTF-8 ({error.reason} at byte {error.start}); save it so.") from None
    missing = [column for column in (PICTURE, LABELS, PATIENT) if column not in names]
    if missing:
        raise BadInput(f"{name} has no column {missing[0]!r}; it has {', '.join(names) or 'none'}.")
    rows = tuple(_row(name, reader.line_num, told) for told in reader)
    if not rows:
        raise BadInput(f"{name} has no rows.")
    _check_once(name, rows)
    return rows


def _row(name: str, line: int, told: Mapping[str, str | None]) -> Row:
    picture, labels, patient = ((told[column] or "").strip() for column in (PICTURE, LABELS, PATIENT))
    if not picture or not patient:
        raise BadInput(f"{name}, line {line}, has no {PICTURE if not picture else PATIENT}: fill it in.")
    try:
        return Row(picture, patient, findings.read(labels), line)
    except ValueError as error:
        raise BadInput(f"{name}, line {line} ({picture}), {error}.") from None


def _check_once(name: str, rows: Sequence[Row]) -> None:
    seen: dict[str, int] = {}
    for row in rows:
        if row.picture in seen:
            raise BadInput(f"{name} names {row.picture} in lines {seen[row.picture]} and {row.line}: keep one of them.")
        seen[row.picture] = row.line


def _named(entries: Sequence[Entry], name: str) -> str | None:
    return next((entry.key for entry in entries if PurePosixPath(entry.key).name == name), None)


def _listed(content: bytes) -> frozenset[str]:
    return frozenset(line.strip() for line in content.decode(errors="replace").splitlines() if line.strip())


def _official(rows: tuple[Row, ...], listed: Mapping[str, frozenset[str]]) -> tuple[tuple[Row, ...], frozenset[str]]:
    """The rows that are on a side, and the patients that are held out. Where one list is missing, the other decides."""
    every = frozenset(row.picture for row in rows)
    test = listed[TEST_LIST] if TEST_LIST in listed else every - listed[TRAIN_LIST]
    train = listed[TRAIN_LIST] if TRAIN_LIST in listed else every - listed[TEST_LIST]
    kept = tuple(row for row in rows if row.picture in test or row.picture in train)
    if left := len(rows) - len(kept):
        say(f"Left out: {left} of {len(rows)} pictures, which are in neither {TRAIN_LIST} nor {TEST_LIST}.")
    _check_apart(kept, train, test)
    return kept, frozenset(row.patient for row in kept if row.picture in test)


def _check_apart(rows: Sequence[Row], train: frozenset[str], test: frozenset[str]) -> None:
    """Raise BadInput for a patient of whom pictures are on both sides: what is judged would have been learned."""
    trained = {row.patient: row.picture for row in rows if row.picture in train}
    both = [(row.patient, row.picture) for row in rows if row.picture in test and row.patient in trained]
    if both:
        patient, picture = both[0]
        raise BadInput(
            f"Patient {patient} is on both sides: {trained[patient]} is in {TRAIN_LIST}, {picture} in {TEST_LIST} "
            f"({len({name for name, _ in both})} such patients). Put all pictures of a patient on one side."
        )


def _by_digest(patient: str) -> bool:
    return is_held_out(hashlib.sha256(patient.encode()).hexdigest(), HELD_OUT_SHARE)
