"""Converters for request bodies that several resources share, beyond the plain types of `emulator.body`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from emulator.body import number, text

MAXIMUM_COMMENT = 1023
MAXIMUM_ID = 2**32 - 1
"""UNIX user and group ids have 32 bits; the largest one means "no change" to the operating system."""

# Each of these has a variant in UTF-8, which is what ONTAP takes for something new.
_LANGUAGES: tuple[str, ...] = (
    "c",
    "ar",
    "cs",
    "da",
    "de",
    "en",
    "en_us",
    "es",
    "fi",
    "fr",
    "he",
    "hr",
    "hu",
    "it",
    "ja",
    "ja_v1",
)
_LANGUAGES += ("ja_jp.pck", "ja_jp.932", "ja_jp.pck_v2", "ko", "no", "nl", "pl", "pt", "ro", "ru", "sk", "sl", "sv")
_LANGUAGES += ("tr", "zh", "zh.gbk", "zh_tw", "zh_tw.big5")


def one_of(*choices: str) -> Callable[[Any], str]:
    """A converter that takes one of these words, also with the hyphens that ONTAP's command line has in them."""

    def convert(value: Any) -> str:
        word = value.replace("-", "_") if isinstance(value, str) and value not in choices else value
        if not isinstance(word, str) or word not in choices:
            raise ValueError("|".join(choices))
        return word

    return convert


def between(low: int, high: int) -> Callable[[Any], int]:
    """A converter that takes a whole number in these bounds, both included."""

    def convert(value: Any) -> int:
        found = number(value)
        if not low <= found <= high:
            raise ValueError(f"{low}..{high}")
        return found

    return convert


def at_most(length: int) -> Callable[[Any], str]:
    """A converter that takes a text of up to so many characters, which can be stored and shown."""

    def convert(value: Any) -> str:
        if len(text(value)) > length or "\0" in value:
            raise ValueError(f"at most {length} characters")
        value.encode()
        return value

    return convert


comment = at_most(MAXIMUM_COMMENT)
short_comment = at_most(255)
s3_comment = at_most(256)
port = between(1, 65535)
unix_id = between(0, MAXIMUM_ID - 1)


def language(value: Any) -> str:
    """A language code in UTF-8; ``c.UTF-8`` is accepted as older clients write it."""
    known = text(value).lower().replace("utf-8", "utf_8")
    if known != "utf8mb4" and known.removesuffix(".utf_8") not in _LANGUAGES:
        raise ValueError("language code in UTF-8")
    return known


def objects_or_names(value: Any) -> list[dict[str, str]]:
    """``[{"name": "a"}]``, or the names alone as ``["a"]``; ONTAP takes both for lists of references."""
    found = []
    for item in value if isinstance(value, list) else [value]:
        named = {"name": item} if isinstance(item, str) else item
        if not isinstance(named, dict) or not named.keys() <= {"name", "uuid", "_links"}:
            raise ValueError("list of names")
        found.append({key: text(named[key]) for key in ("name", "uuid") if named.get(key) is not None})
    if not all(found):
        raise ValueError("list of names")
    return found


def listed(value: Any) -> list[Any]:
    """A list; one object in its place is a list of one."""
    return [] if value is None else value if isinstance(value, list) else [value]


def pattern(value: Any) -> re.Pattern[str]:
    """A regular expression. ValueError when it is none."""
    try:
        return re.compile(text(value))
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError("regular expression") from error
