"""What one file of a dataset is: its digest, its kind and shape, and whether it names or places a person."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import struct
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHUNK = 1 << 20
IN_MEMORY = 64 << 20  # bytes up to which a file is read once and kept for decoding

IMAGES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp"})
TABLES = frozenset({".csv", ".tsv", ".parquet"})
TEXTS = frozenset({".txt", ".csv", ".tsv", ".json", ".jsonl", ".md", ".xml", ".html", ".yaml", ".yml", ".log"})

EMAIL = "e-mail addresses"
PHONE = "telephone numbers"
POSITION = "GPS positions in images"
OWNER = "names of image owners"

_EMAIL = re.compile(rb"[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24}\b")
# With a country code, or in groups as numbers are written for people; bare digits may be anything.
_PHONE = re.compile(
    rb"(?<![\w.+-])(?:\+\d{1,3}[ ./-]?(?:\(\d{1,5}\)|\d{1,5})(?:[ ./-]?\d{2,5}){2,4}"
    rb"|\(\d{3,5}\) ?\d{3,4}[ .-]?\d{3,5}|\d{3}-\d{3}-\d{4})(?![\w-])"
)
_GPS, _EXIF = 0x8825, 0x8769
_OWNER_TAGS = (0x013B, 0x9C9D)  # Artist, XPAuthor
_CAMERA_OWNER = 0xA430
_OWNER_INFO = ("author", "artist", "owner")


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
        personal |= _persons_in_text(path, content)
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
            return _persons_in_image(image)
    except (OSError, ValueError, SyntaxError, EOFError, struct.error, Image.DecompressionBombError) as error:
        facts["corrupt"] = " ".join(str(error).split())[:120].replace(str(path), path.name)
        return set()


def _persons_in_image(image: Any) -> set[str]:
    found, exif = set(), image.getexif()
    if any(exif.get_ifd(_GPS).values()):
        found.add(POSITION)
    named = [exif.get(tag) for tag in _OWNER_TAGS] + [exif.get_ifd(_EXIF).get(_CAMERA_OWNER)]
    named += [value for key, value in image.info.items() if str(key).lower() in _OWNER_INFO]
    if any(str(value).strip("\0 ") for value in named if value):
        found.add(OWNER)
    return found


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


def _persons_in_text(path: Path, content: bytes | None) -> set[str]:
    found: set[str] = set()
    for block in _blocks(path, content):
        if EMAIL not in found and b"@" in block and _EMAIL.search(block):
            found.add(EMAIL)
        if PHONE not in found and _PHONE.search(block):
            found.add(PHONE)
        if len(found) == 2:
            break
    return found


def _blocks(path: Path, content: bytes | None) -> Iterator[bytes]:
    """Whole lines, so that nothing is cut in two; lines without end are cut after a megabyte."""
    if content is not None:
        yield content
        return
    with path.open("rb") as file:
        while block := file.read(CHUNK):
            yield block + file.readline(CHUNK)
