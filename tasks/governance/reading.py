"""The text of a file, line by line, whatever it is kept in; or why it has none that can be read here."""

from __future__ import annotations

import gzip
import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

from tasks.data.inspection import IMAGES, TEXTS

OFFICE = frozenset({".docx", ".pptx", ".xlsx", ".odt", ".ods", ".odp"})
MORE_TEXTS = frozenset({".eml", ".htm", ".py", ".ini", ".cfg", ".sql", ".rst", ""})
LARGEST_PART = 256 << 20  # bytes of one part of an office file, unpacked
_TAG = re.compile(r"<[^>]*>")


class Unreadable(Exception):
    """Says what kind of file it is whose text nobody reads here, or what is wrong with it."""


def lines(path: Path) -> Iterator[str]:
    """Yield the lines of a text, a table or an office file; raises Unreadable before or while it is read."""
    suffix = path.suffix.lower()
    if suffix == ".gz":
        with gzip.open(path, "rt", errors="replace") as file:
            yield from _safely(file)
    elif suffix in TEXTS | MORE_TEXTS:
        with path.open(errors="replace") as file:
            yield from _safely(file)
    elif suffix == ".parquet":
        yield from _parquet(path)
    elif suffix in OFFICE:
        yield from _office(path)
    elif suffix == ".pdf":
        yield from _pdf(path)
    elif suffix in IMAGES:
        raise Unreadable("pictures: what they show is not looked at")
    else:
        raise Unreadable(f"files of type {suffix}")


def _safely(file: io.TextIOBase) -> Iterator[str]:
    try:
        yield from file
    except (OSError, EOFError) as error:
        raise Unreadable(f"broken files ({type(error).__name__})") from None


def _parquet(path: Path) -> Iterator[str]:
    """A line for each row: all its values, so that the line is the number of the row."""
    import pyarrow
    import pyarrow.parquet

    try:
        for batch in pyarrow.parquet.ParquetFile(path).iter_batches():
            for row in batch.to_pylist():
                yield "\t".join(str(value) for value in row.values() if value is not None)
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise Unreadable(f"broken files ({type(error).__name__})") from None


def _office(path: Path) -> Iterator[str]:
    """Text of each paragraph of the XML within, part by part."""
    try:
        with zipfile.ZipFile(path) as archive:
            for part in archive.infolist():
                if not part.filename.endswith(".xml") or part.file_size > LARGEST_PART:
                    continue
                text = archive.read(part).decode(errors="replace")
                for paragraph in re.split(r"</(?:w:p|a:p|si|row|text:p)>", text):
                    yield _TAG.sub("", paragraph)
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError) as error:
        raise Unreadable(f"broken or encrypted office files ({type(error).__name__})") from None


def _pdf(path: Path) -> Iterator[str]:
    try:
        from pdfminer.high_level import extract_text
    except ImportError:
        raise Unreadable("PDF files: no reader is installed where this runs") from None
    try:
        text = extract_text(str(path))
    except Exception as error:  # whatever a broken document makes of it
        raise Unreadable(f"broken or encrypted PDF files ({type(error).__name__})") from None
    if not text.strip():
        raise Unreadable("PDF files without text, such as scans")
    yield from text.splitlines()
