"""Turn days of a click log into Parquet, once: typed columns, statistics, row groups.

    python -m tasks.ctr.convert --data /data/clicks --output /data/clicks-parquet
    python -m tasks.ctr.convert --data s3://lake/criteo --output s3://lake/criteo-parquet --day day_0

The label is an 8-bit integer, the numeric columns are 32-bit integers and the categoricals, of 8 hexadecimal digits,
unsigned 32-bit integers; what is missing is null. A day becomes a folder ``<day>/`` of files ``part-NNNNN.parquet`` and
``statistics/<day>.json``, which is whole when the day is: where it fits the source, nothing is done again. Stopped, it
goes on after the parts that are there, and no training takes the day before. Malformed rows are left out, counted, and
shown; a day that has too many, or is damaged, is refused, and keeps no parts.
"""

from __future__ import annotations

import argparse
import collections
import io
import json
import os
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from typing import Any

from tasks.common import program
from tasks.common.cli import Flags
from tasks.common.data import Store, open_target
from tasks.common.program import BadInput
from tasks.common.progress import Progress, say
from tasks.ctr.blocks import MALFORMED_SHARE, check_malformed
from tasks.ctr.converted import day_of, fingerprint, key_of, read_record, write_record
from tasks.ctr.days import find_days, parts_of
from tasks.ctr.parse import Malformed, parse
from tasks.ctr.places import parquet_folder
from tasks.ctr.processes import ended, finished, processes
from tasks.ctr.reading import GZIP, PARQUET, TABLE, Day, File, Part, lines_of, parquet_file
from tasks.ctr.tables import STATISTICS
from tasks.ctr.typed import REPEATING, merged, statistics, typed_table

PART_BYTES = 64 << 20  # of text; some 280,000 rows and 25 MB of Parquet
ROW_GROUP = 1 << 17


def main() -> dict[str, Any]:
    arguments = _options()
    found = find_days(arguments.data, arguments.day)
    days = [day for day in found if day.kind not in (PARQUET, TABLE)]
    if not days:
        raise BadInput(f"Everything under {arguments.data} is Parquet already.")
    if len(days) < len(found):
        say(f"Not converted: {len(found) - len(days)} days under {arguments.data} are Parquet already.")
    target = open_target(arguments.output)
    there = {entry.key: entry.size for entry in target.entries()}
    with processes(arguments.processes) as pool:
        conversions = [_Conversion(day, arguments, target, there, pool) for day in days]
        for conversion in conversions:
            conversion.begin()
        results = [conversion.run() for conversion in conversions]
    if not arguments.day:
        _say_others({place[0] for key in there if (place := day_of(key))} - {day.name for day in found}, arguments)
    _check_refused([conversion.refused for conversion in conversions if conversion.refused])
    total = {name: sum(result[name] for result in results) for name in ("rows", "malformed", "parts", "bytes")}
    return {"days": len(days), "converted": sum(result["new"] for result in results), **total}


def _say_others(names: set[str], arguments: argparse.Namespace) -> None:
    """Days of an earlier source in the same folder, which may or may not be meant to stay."""
    if names:
        listed = ", ".join(sorted(names)[:5])
        say(f"Also under {arguments.output}, and not from {arguments.data}: {listed}. Remove what none is to train on.")


def _check_refused(sentences: list[str]) -> None:
    if sentences:
        others = f" {len(sentences) - 1} other days are refused as well." if len(sentences) > 1 else ""
        raise BadInput(f"{sentences[0]}{others}")


def _options() -> argparse.Namespace:
    flags = Flags(__doc__)
    flags.data("folder or s3://bucket/prefix with days of the click log")
    flags.output("folder or s3://bucket/prefix for the Parquet files", from_run=parquet_folder)
    flags.add_argument(
        "--day",
        action="append",
        default=[],
        help="convert this day only, or these, joined by commas",
    )
    flags.add_argument("--malformed-share", type=float, default=MALFORMED_SHARE, help="allowed; above it: exit 2")
    flags.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    return flags.parse()


class _Conversion:
    """The conversion of one day, which goes on after the parts that an earlier try has left."""

    def __init__(
        self, day: Day, arguments: argparse.Namespace, target: Store, there: dict[str, int], pool: Executor
    ) -> None:
        self.day, self.target, self.there, self.pool = day, target, there, pool
        self.url, self.share, self.room = arguments.output, arguments.malformed_share, 2 * arguments.processes
        self.source, self.refused = fingerprint(day), ""
        key = key_of(day.name)
        self._record = read_record(target, key) if key in there else None

    @property
    def _is_done(self) -> bool:
        """Whether the day's files are there, and of this source."""
        files = [File(key, size, PARQUET) for key, size in self.there.items() if self._is_part(key)]
        return bool(self._record and self._record.source == self.source and self._record.fits(files))

    def _is_part(self, key: str) -> bool:
        return key.startswith(f"{self.day.name}/part-")

    def begin(self) -> None:
        """Say that the day's files are not whole, before one is written: nobody is to train on a part of them."""
        if not self._is_done:
            write_record(self.target, self.day.name, source=self.source)

    def run(self) -> dict[str, Any]:
        """The day's figures; none where it is refused."""
        if self._record and self._is_done:
            say(f"{self.day.name} is converted already.")
            return {**self._record.total, "new": 0}
        try:
            return self._convert()
        except BadInput as error:
            self.refused = str(error)
            self._remove_parts()
            write_record(self.target, self.day.name, source=self.source, refused=self.refused)
            say(f"Refused: {self.refused}")
            return dict.fromkeys(("rows", "malformed", "parts", "bytes", "new"), 0)

    def _convert(self) -> dict[str, Any]:
        parts = self._parts()
        malformed = sum((Malformed(p["malformed"], tuple(p["examples"])) for p in parts), Malformed())
        rows = sum(part["rows"] for part in parts)
        check_malformed(malformed, rows, self.share, f"{self.day.url} in {self.day.name}")
        self._remove_parts(len(parts))
        total = {
            "rows": rows,
            "malformed": malformed.count,
            "parts": len(parts),
            "bytes": sum(part["bytes"] for part in parts),
        }
        told = {"total": total, "examples": malformed.examples, "columns": merged(parts)}
        write_record(self.target, self.day.name, source=self.source, **told)
        return {**total, "new": 1}

    def _parts(self) -> list[dict[str, Any]]:
        """Each part's statistics, in order; a few parts are under way at a time, however long the day is."""
        done, waiting = [], collections.deque[Future[dict[str, Any]]]()
        with Progress(None, "rows", f"Converting {self.day.name}") as progress, ended(waiting):

            def take() -> None:
                done.append(waiting.popleft().result())
                progress.advance(done[-1]["rows"])

            for number, piece in enumerate(self._pieces()):
                key = f"{self.day.name}/part-{number:05}.parquet"
                known = self._known(key, number)
                if known is not None:
                    waiting.append(finished(known))
                else:
                    waiting.append(self.pool.submit(_convert, piece, self.url, key, f"{self.source}.{number}"))
                if len(waiting) >= self.room:
                    take()
            while waiting:
                take()
        return done

    def _pieces(self) -> Iterator[Part | bytes]:
        """Yield what a process converts at a time: a part of the file, or some lines of one that is compressed."""
        parts = parts_of(self.day, PART_BYTES)
        if self.day.kind != GZIP:
            yield from parts
            return
        held: list[bytes] = []
        for lines in lines_of(parts[0]):
            held.append(lines)
            if sum(map(len, held)) >= PART_BYTES:
                yield b"".join(held)
                held = []
        if held:
            yield b"".join(held)

    def _known(self, key: str, number: int) -> dict[str, Any] | None:
        """Return the statistics in a part's file that an earlier try left, if it was made from this source."""
        if key not in self.there:
            return None
        try:
            with parquet_file(self.url, File(key, self.there[key], PARQUET)) as opened:
                told = json.loads((opened.schema_arrow.metadata or {}).get(STATISTICS, b"{}"))
        except BadInput:  # damaged, so it is written again
            return None
        return told | {"bytes": self.there[key]} if told.get("source") == f"{self.source}.{number}" else None

    def _remove_parts(self, first: int = 0) -> None:
        """From number ``first`` on, also those of an earlier source."""
        kept = {f"{self.day.name}/part-{number:05}.parquet" for number in range(first)}
        present = {entry.key for entry in self.target.entries()} if not first else self.there
        for key in present:
            if self._is_part(key) and key not in kept:
                self.target.delete(key)


def _convert(piece: Part | bytes, url: str, key: str, source: str) -> dict[str, Any]:
    """Write one part's Parquet file; its statistics."""
    import pyarrow
    import pyarrow.parquet

    chunks = [piece] if isinstance(piece, bytes) else lines_of(piece)
    parsed = [parse(text, categorical=True) for text in chunks]
    malformed = sum((rows.malformed for rows in parsed), Malformed())
    table = pyarrow.concat_tables([typed_table(rows) for rows in parsed] or [typed_table(parse(b"", categorical=True))])
    told = {
        "source": source,
        "rows": table.num_rows,
        "malformed": malformed.count,
        "examples": malformed.examples,
        "columns": statistics(parsed),
    }
    file = io.BytesIO()
    marked = table.replace_schema_metadata({STATISTICS: json.dumps(told)})
    pyarrow.parquet.write_table(marked, file, row_group_size=ROW_GROUP, compression="zstd", use_dictionary=REPEATING)
    open_target(url).write(key, file.getvalue())
    return {**told, "bytes": file.tell()}


if __name__ == "__main__":
    program.run(main)
