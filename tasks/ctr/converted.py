"""What convert has made of a day, as ``statistics/<day>.json`` beside the day's folder says it.

It is there from the beginning of a conversion, and says so until the day is whole; then it has what the day's files
must be. A day that convert refused has the reason.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.common.data import Store
from tasks.common.program import BadInput
from tasks.ctr.reading import PARQUET, Day, File, read_range, store_of

FOLDER = "statistics"
VERSION = 2  # of what is written for a source
_SAMPLE = 1 << 16


@dataclass(frozen=True)
class Record:
    """``source`` is the fingerprint of the day it was made from; ``total`` is empty until the day is whole."""

    source: str
    total: Mapping[str, int]
    refused: str = ""
    columns: Mapping[str, Any] | None = None

    @property
    def whole(self) -> bool:
        return bool(self.total) and not self.refused

    def fits(self, files: Sequence[File]) -> bool:
        """Whether a day's files are those that were written."""
        return self.whole and (len(files), sum(f.size for f in files)) == (self.total["parts"], self.total["bytes"])


def key_of(name: str, before: str = "") -> str:
    """``before`` is the path that the day's own folder lies in, with ``/`` at its end."""
    return f"{before}{FOLDER}/{name}.json"


def day_of(key: str) -> tuple[str, str] | None:
    """The day, and the path before it, that a key is the record of; None for another file."""
    before, _, name = key.rpartition("/")
    above, _, folder = before.rpartition("/")
    if folder != FOLDER or not name.endswith(".json"):
        return None
    return name.removesuffix(".json"), f"{above}/" if above else ""


def read_record(store: Store, key: str) -> Record | None:
    """None for a file that is no such record."""
    try:
        told = json.loads(store.read(key))
        total = {name: int(value) for name, value in (told.get("total") or {}).items()}
        if total and not {"rows", "malformed", "parts", "bytes"} <= set(total):
            return None
        return Record(str(told["source"]), total, str(told.get("refused") or ""), told.get("columns"))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def write_record(store: Store, name: str, **told: Any) -> None:
    store.write(key_of(name), json.dumps(told, indent=1).encode())


def fingerprint(day: Day) -> str:
    """Of a day's files: names, sizes and marks, and the beginning and end of each; of a converted day, its source."""
    marks = [] if day.source else [file.mark for file in day.files]
    return hashlib.sha256(f"{VERSION}\0{content_of(day)}\0{marks}".encode()).hexdigest()


def content_of(day: Day) -> str:
    """As the fingerprint, but equal for equal files wherever they lie, and whenever they were written."""
    digest = hashlib.sha256(day.source.encode())
    for file in day.files:
        digest.update(f"{file.key}\0{file.size}\n".encode())
        if file.kind != PARQUET:  # of which the source says all
            digest.update(_sample(day.url, file, 0))
            digest.update(_sample(day.url, file, max(0, file.size - _SAMPLE)))
    return digest.hexdigest()


def _sample(url: str, file: File, start: int) -> bytes:
    return read_range(store_of(url), file.key, start, min(_SAMPLE, file.size))


def check_mark(day: Day, file: File, source: str | None) -> None:
    """Raise BadInput for a file of a converted day that is not made of the day's own source."""
    number = file.key.rpartition("-")[2].removesuffix(".parquet")
    if not number.isdecimal() or source != f"{day.source}.{int(number)}":
        raise BadInput(f"{file.key} under {day.url} was made from another day than the rest; convert {day.name} again.")
