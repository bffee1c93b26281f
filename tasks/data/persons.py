"""Whether a text or an image names or places a person; what only looks like it, such as a decimal, does not count."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

EMAIL = "e-mail addresses"
PHONE = "telephone numbers"
POSITION = "GPS positions in images"
OWNER = "names of image owners"

_EMAIL = re.compile(rb"([A-Za-z0-9\x80-\xff._%+-]{1,64})@((?:[A-Za-z0-9\x80-\xff-]{1,63}\.)+)([A-Za-z]{2,24})\b")
# Endings of files, none of which is a domain of the Internet (as .md, .py and .zip are), and domains of no network.
_NO_DOMAIN = frozenset(
    b"png jpg jpeg jfif gif webp svg bmp tif tiff ico avif heic heif eps psd raw dng wav flac ogg avi mkv css js json "
    b"jsonl html htm xml yaml yml toml ini cfg conf txt log csv tsv pdf doc docx xls xlsx ppt pptx ipynb parquet onnx "
    b"npy npz pkl safetensors bin gz tgz xz whl jar exe dll bak tmp sql local localdomain internal lan invalid".split()
)
_NO_PERSON = frozenset({b"git", b"svn", b"hg"})  # git@github.com:owner/name
_VERSION = re.compile(rb"\d+\.\d+\.")  # package@1.0.0-rc.one

# With a country code, or in groups as numbers are written for people; bare digits may be anything. Dots stand between
# all groups or none, since a number with one dot is a decimal.
_PHONE = re.compile(
    rb"(?<![\w.+/-])(?:"
    rb"\+[1-9]\d{9,14}"
    rb"|\+[1-9]\d{0,2}[ /-]?\(\d{1,5}\)[ /-]?\d{1,12}(?:[ /.-]\d{2,8}){0,4}"
    rb"|\+[1-9]\d{0,2}(?:[ /-]\d{1,8}){2,6}"
    rb"|\+[1-9]\d{0,2} \d{6,12}"
    rb"|\+[1-9]\d{0,2}[. ]\d{1,5}(?:\.\d{2,8}){2,5}"
    rb"|\+[1-9]\d{0,2}\.\d{1,5}\.\d{5,8}"
    rb"|\(\d{3}\) ?\d{3}[ -]?\d{4}"
    rb"|\(0\d{2,4}\) ?\d{3,8}(?:[ /-]\d{2,8})?"
    rb"|\d{3}-\d{3}-\d{4}"
    rb")(?![\w-]|\.\d)"
)
_DATE = re.compile(rb"\b(?:19|20)\d\d-[01]\d-[0-3]\d\b")
_DIGITS = range(8, 16)  # of a telephone number with its country code; those of +1 and +7 have 11
_ROUND = re.compile(rb"\+\d{1,3}(?: 000)+")

_GPS, _EXIF = 0x8825, 0x8769
_LATITUDE, _LONGITUDE = 2, 4
_ARTIST, _XP_AUTHOR, _CAMERA_OWNER = 0x013B, 0x9C9D, 0xA430
_OWNER_INFO = ("author", "artist", "owner")


def in_text(blocks: Iterable[bytes]) -> set[str]:
    """Kinds of personal data in a text, in pieces that cut no line in two."""
    found: set[str] = set()
    for block in blocks:
        if EMAIL not in found and b"@" in block and any(map(_is_address, _EMAIL.finditer(block))):
            found.add(EMAIL)
        if PHONE not in found and any(map(_is_number, _PHONE.finditer(block))):
            found.add(PHONE)
        if len(found) == 2:
            break
    return found


def in_image(image: Any) -> set[str]:
    """Kinds of personal data in what a Pillow image says beside its pixels."""
    found, exif = set(), image.getexif()
    position = exif.get_ifd(_GPS)
    if _is_angle(position.get(_LATITUDE), 90) and _is_angle(position.get(_LONGITUDE), 180):
        found.add(POSITION)
    owners = [exif.get(_ARTIST), exif.get_ifd(_EXIF).get(_CAMERA_OWNER), *_told(image.info)]
    if any(map(_names_somebody, [*owners, _utf16(exif.get(_XP_AUTHOR))])):
        found.add(OWNER)
    return found


def _is_address(match: re.Match[bytes]) -> bool:
    person, domain, last = match.groups()
    if last.lower() in _NO_DOMAIN or person.lower() in _NO_PERSON:
        return False
    return not _VERSION.match(domain)


def _is_number(match: re.Match[bytes]) -> bool:
    text = match[0]
    if text.startswith(b"+"):
        digits = sum(map(text.count, (b"%d" % digit for digit in range(10))))
        if digits not in _DIGITS or (text[1:2] in b"17" and digits != 11) or _ROUND.fullmatch(text):
            return False
    return not _DATE.search(text)


def _is_angle(value: Any, most: int) -> bool:
    """Whether this is degrees, or degrees, minutes and seconds, of which a camera without a fix writes 0/0."""
    parts = value if isinstance(value, tuple | list) else (value,)
    try:
        degrees = sum(float(part) / 60**power for power, part in enumerate(parts))
    except (TypeError, ValueError, ZeroDivisionError):
        return False
    return bool(parts) and math.isfinite(degrees) and abs(degrees) <= most


def _told(info: Mapping[Any, Any]) -> list[Any]:
    return [value for key, value in info.items() if str(key).lower() in _OWNER_INFO]


def _utf16(value: Any) -> str:
    """What Windows writes: little-endian, as bytes or as a row of numbers."""
    try:
        return bytes(value or b"").decode("utf-16-le", errors="ignore")
    except (TypeError, ValueError):
        return str(value)


def _names_somebody(value: Any) -> bool:
    text = value.decode(errors="ignore") if isinstance(value, bytes) else str(value or "")
    return any(letter.isalnum() for letter in text)
