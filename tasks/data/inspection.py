"""What one file of a dataset is: its digest, its kind and shape, and whether it names or places a person."""

from __future__ import annotations

import csv
import hashlib
import io
import struct
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tasks.data import persons

CHUNK = 1 << 20
IN_MEMORY = 64 << 20  # bytes up to which a file is read once and kept for decoding

IMAGES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp"})
TABLES = frozenset({".csv", ".tsv", ".parquet"})
TEXTS = frozenset({".txt", ".csv", ".tsv", ".json", ".jsonl", ".md", ".xml", ".html", ".yaml", ".yml", ".log"})


def inspect(path: Path) -> dict[str, Any]:
    """``sha256``; for an image ``image`` (format, mode, width, height), for a table ``columns``; ``personal`` kinds
    found; ``corrupt`` with the reason when the file is not what its name says. Nothing for what does not apply.
    """
    suffix = path.suffix.lower()
    content = path.read_bytes() if path.stat().st_size <= IN_MEMORY else None
    facts: dict[str, Any] = {"sha256": _sha256(path, content)}
    personal: set[str] = set()
    if suffix in IMAGES:
        personal |= _look_at_image(path, content, facts)
    if suffix in TABLES:
        _look_at_table(path, suffix, facts)
    if suffix in TEXTS:
        personal |= persons.in_text(_blocks(path, content))
    if personal:
        facts["personal"] = sorted(personal)
    return facts


def _sha256(path: Path, content: bytes | None) -> str:
    if content is not None:
        return hashlib.sha256(content).hexdigest()
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _look_at_image(path: Path, content: bytes | None, facts: dict[str, Any]) -> set[str]:
    from PIL import Image

    try:
        with warnings.catch_warnings(), Image.open(path if content is None else io.BytesIO(content)) as image:
            warnings.simplefilter("ignore")
            image.load()
            facts["image"] = [image.format, image.mode, image.width, image.height]
            if colour := _only_colour(image):
                facts["flat"] = colour
            return persons.in_image(image)
    except (OSError, ValueError, SyntaxError, EOFError, struct.error, Image.DecompressionBombError) as error:
        facts["corrupt"] = " ".join(str(error).split())[:120].replace(str(path), path.name)
        return set()


def _only_colour(image: Any) -> list[int] | None:
    """Red, green and blue of an image that is of one colour throughout, such as all white; None for any other."""
    try:
        extrema = image.getextrema()
        ranges = extrema if isinstance(extrema[0], tuple) else [extrema]
        if any(low != high for low, high in ranges):
            return None
        if image.mode.startswith("I;16"):
            return [int(ranges[0][0]) // 257] * 3
        return list(image.crop((0, 0, 1, 1)).convert("RGB").getpixel((0, 0)))
    except (ValueError, OSError):  # a mode that Pillow neither measures nor shows
        return None


def _look_at_table(path: Path, suffix: str, facts: dict[str, Any]) -> None:
    try:
        facts["columns"] = _parquet_columns(path) if suffix == ".parquet" else _csv_columns(path, suffix)
    except (ValueError, OSError, csv.Error) as error:
        facts["corrupt"] = " ".join(str(error).split())[:120].replace(str(path), path.name)


def _parquet_columns(path: Path) -> list[str]:
    import pyarrow.parquet

    return [f"{field.name}:{field.type}" for field in pyarrow.parquet.read_schema(path)]


def _csv_columns(path: Path, suffix: str) -> list[str]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        head = file.readline(1 << 16)
    delimiter = "\t" if suffix == ".tsv" else max(",;|\t", key=head.count)
    return next(csv.reader([head], delimiter=delimiter), [])


def _blocks(path: Path, content: bytes | None) -> Iterator[bytes]:
    """Whole lines, so that nothing is cut in two; lines without end are cut after a megabyte."""
    if content is not None:
        yield content
        return
    with path.open("rb") as file:
        while block := file.read(CHUNK):
            yield block + file.readline(CHUNK)
