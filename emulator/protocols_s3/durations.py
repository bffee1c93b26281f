"""ISO 8601 durations as ONTAP takes them for the life of keys: PnDTnHnMnS or PnW."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

# Enough for 2,700 years in days; nothing that is added to a date may leave the calendar.
MAXIMUM_DIGITS = 6

_DAYS = re.compile(
    r"P(?:(?P<days>[0-9]+)D)?(?:T(?:(?P<hours>[0-9]+)H)?(?:(?P<minutes>[0-9]+)M)?(?:(?P<seconds>[0-9]+)S)?)?"
)
_WEEKS = re.compile(r"P(?P<weeks>[0-9]+)W")


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
    if any(len(number or "") > MAXIMUM_DIGITS for number in match.groupdict().values()):
        raise ValueError(f"{text[:40]!r} is longer than any key lives")
    return timedelta(**{unit: int(number) for unit, number in match.groupdict().items() if number}).total_seconds()
