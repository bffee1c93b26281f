"""Finding the days of a click log and the parts they are read in, in a folder or a bucket.

A day is one file as published (``day_0``, ``day_0.gz``, or any ``*.tsv`` or ``*.txt``, plain or compressed), or Parquet
as ``tasks.ctr.convert`` leaves it: ``day_0.parquet`` or a folder ``day_0/`` of Parquet files. What only has the name of
one is passed over with a sentence: hidden files, text without rows, a test set without labels.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from tasks.common import manifest
from tasks.common.data import Entry, open_source
from tasks.common.listing import only_data
from tasks.common.program import BadInput
from tasks.ctr.admitting import admitted
from tasks.ctr.converted import Record, check_mark, content_of, day_of, read_record
from tasks.ctr.reading import GZIP, PARQUET, TABLE, TEXT, Day, File, Part, parquet_file
from tasks.ctr.tables import STATISTICS

_TEXT_NAME = re.compile(r"(day_?\d+|.+\.(?:tsv|txt))(\.gz)?", re.IGNORECASE)
# What a day may have been packed or half fetched as: said, since a training without it would be smaller.
_UNREAD = re.compile(
    r"(?:day_?\d+|.+\.(?:tsv|txt|csv))(?:\.\w+)*\.(?:zip|bz2|xz|zst|lz4|7z|rar|tar|tgz|csv|part|partial|crdownload|tmp)"
    r"|.+\.csv",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d+")


def find_days(url: str, wanted: Sequence[str] = ()) -> list[Day]:
    """All days under ``url``, in order of their numbers, or those named, each name maybe several joined by commas.

    Says what is passed over, and why. Raises BadInput when there are none, for one that is named and is none, and for
    one that is damaged, there twice or converted in part.
    """
    wanted = [name for names in wanted for name in names.split(",") if name]
    store = open_source(url)
    entries = only_data(store.entries(), url)
    found = _candidates(url, entries)
    places = {entry.key: place for entry in entries if (place := day_of(entry.key))}
    records = {place: record for key, place in places.items() if (record := read_record(store, key))}
    names = list(dict.fromkeys([*(day.name for day in found), *(name for name, _ in records)]))
    unread = [f"{entry.key} is neither text, .gz nor Parquet" for entry in entries if _is_unread(entry.key)]
    if not names:
        raise BadInput(
            f"There are no click logs under {url}: expected files such as day_0, day_0.gz, train.txt or day_0.parquet"
            f"{f'; {unread[0]}' if unread else ''}."
        )
    _check_wanted(url, wanted, names)
    chosen = [day for day in found if not wanted or day.name in wanted]
    with_files = {(day.name, _above(day)) for day in chosen if day.kind == PARQUET}
    lone = {place: record for place, record in records.items() if place not in with_files}
    refused = [_why_not(url, name, record) for (name, _), record in lone.items() if not wanted or name in wanted]
    refused += [] if wanted else unread
    told = [records.get((day.name, _above(day))) for day in chosen]
    return _once(url, admitted(url, list(zip(chosen, told, strict=True)), refused, named=bool(wanted)))


def listing(days: Sequence[Day]) -> str:
    """SHA-256 over names, sizes and samples of the days' files."""
    return hashlib.sha256(repr([content_of(day) for day in days]).encode()).hexdigest()


def _candidates(url: str, entries: Sequence[Entry]) -> list[Day]:
    """What has the name of a day, in order; a file of text is one, and so are all Parquet files of a folder."""
    digests = manifest.of(url)
    found: dict[tuple[str, str], list[File]] = {}
    for entry in entries:
        if told := _recognise(entry.key):
            name, kind = told
            mark = digests.sha256(entry) or f"{entry.modified} {entry.etag}"
            place = entry.key.rpartition("/")[0] if kind == PARQUET else entry.key
            found.setdefault((name, place), []).append(File(entry.key, entry.size, kind, mark))
    days = [Day(name, url, tuple(sorted(files, key=lambda f: _natural(f.key)))) for (name, _), files in found.items()]
    return sorted(days, key=lambda day: (_natural(day.name), day.files[0].key))


def _recognise(key: str) -> tuple[str, str] | None:
    """Return the day a file belongs to and its kind; None for a file that is none of ours."""
    path = Path(key)
    if path.suffix == ".parquet":
        return (path.parent.name if _is_part(path) else path.stem), PARQUET
    told = _TEXT_NAME.fullmatch(path.name)
    if told is None:
        return None
    return Path(told[1]).stem, GZIP if told[2] else TEXT


def _is_unread(key: str) -> bool:
    return bool(_UNREAD.fullmatch(Path(key).name)) and not _recognise(key)


def _is_part(path: Path) -> bool:
    return bool(path.parent.name and re.fullmatch(r"part-\d+", path.stem))


def _above(day: Day) -> str:
    """The path that a Parquet day lies in, with ``/`` at its end, where convert keeps the record of it."""
    path = Path(day.files[0].key)
    above = (path.parent.parent if _is_part(path) else path.parent).as_posix()
    return "" if above == "." else f"{above}/"


def _why_not(url: str, name: str, record: Record) -> str:
    """Why a day that has a record and no files was refused. Raises BadInput where it was not."""
    if not record.refused:
        raise BadInput(f"{name} under {url} is not converted to its end: run tasks.ctr.convert again, as before.")
    return f"{name} was refused by convert ({record.refused})"


def _check_wanted(url: str, wanted: Sequence[str], names: Sequence[str]) -> None:
    missing = sorted(set(wanted) - set(names))
    if missing:
        listed = ", ".join(names[:8])
        raise BadInput(f"There is no {missing[0]} under {url}; there are {listed}{', ...' if len(names) > 8 else ''}.")


def _once(url: str, days: Sequence[Day]) -> list[Day]:
    by_name: dict[str, list[Day]] = {}
    for day in days:
        by_name.setdefault(day.name, []).append(day)
    for name, same in by_name.items():
        if len(same) > 1:
            keys = ", ".join(day.files[0].key for day in same[:4])
            raise BadInput(f"{name} is there more than once under {url} ({keys}): keep one, or name another folder.")
    return list(days)


def _natural(name: str) -> tuple[str, list[int]]:
    return _NUMBER.sub("#", name), [int(number) for number in _NUMBER.findall(name)]


def parts_of(day: Day, part_bytes: int) -> list[Part]:
    """In order of rows. A compressed file cannot be entered in the middle, so it is one part however long it is."""
    if day.kind in (PARQUET, TABLE):
        return [part for file in day.files for part in _row_groups(day, file, part_bytes)]
    file = day.files[0]
    if day.kind == GZIP:
        return [Part(day.url, file, 0, file.size)]
    count = max(1, round(file.size / part_bytes))
    cuts = [file.size * number // count for number in range(count + 1)]
    return [Part(day.url, file, start, stop) for start, stop in itertools.pairwise(cuts)]


def _row_groups(day: Day, file: File, part_bytes: int) -> Iterator[Part]:
    with parquet_file(day.url, file) as opened:
        facts = opened.metadata
        if day.kind == PARQUET:
            told = json.loads((opened.schema_arrow.metadata or {}).get(STATISTICS, b"{}"))
            check_mark(day, file, told.get("source"))
        start, held = 0, 0
        for group in range(facts.num_row_groups):
            held += facts.row_group(group).total_byte_size
            if held >= part_bytes or group == facts.num_row_groups - 1:
                yield Part(day.url, file, start, group + 1)
                start, held = group + 1, 0
