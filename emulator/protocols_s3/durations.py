"""ISO 8601 durations as ONTAP takes them for the life of keys: PnDTnHnMnS or PnW."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

_DAYS = re.compile(r"P(?:(?P<days>\d+)D)?(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)S)?)?")
_WEEKS = re.compile(r"P(?P<weeks>\d+)W")


def duration(value: Any) -> str:
    """Converter for request bodies: the text itself, if it is a duration."""
    if not isinstance(value, str):
        raise ValueError("duration")
    seconds(value)
    return value


def seconds(text: str) -> float:
    """ValueError for anything else than a duration; 0 means keys that do not expire."""
    match = _WEEKS.fullmatch(text) or _DAYS.fullmatch(text)
    if not match or not any(match.groupdict().values()):
        raise ValueError(f"{text!r} is not a duration such as P2DT6H3M10S or P1W")
    return timedelta(**{unit: int(number) for unit, number in match.groupdict().items() if number}).total_seconds()
