"""Retention periods as ONTAP writes them: one number of years, months, days, hours, minutes or seconds."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

_PERIOD = re.compile(r"P(?:(\d{1,5})([YMWD])|T(\d{1,5})([HMS]))", re.ASCII)
_DAYS = {"Y": 365, "M": 30, "W": 7, "D": 1}
_SECONDS = {"H": 3600, "M": 60, "S": 1}
INFINITE = "infinite"
LONGEST = timedelta(days=365 * 100)


def period(value: Any) -> str:
    """Converter for request bodies: the text itself, if it is a period of at most a hundred years, or ``infinite``."""
    if not isinstance(value, str) or length(value) is None:
        raise ValueError("period such as P30D")
    return value


def length(text: str) -> timedelta | None:
    """None for what is no period; ``infinite`` is as long as the longest."""
    if text == INFINITE:
        return LONGEST
    match = _PERIOD.fullmatch(text)
    if match is None:
        return None
    days, unit, clock, clock_unit = match.groups()
    found = timedelta(days=int(days) * _DAYS[unit]) if days else timedelta(seconds=int(clock) * _SECONDS[clock_unit])
    return found if found <= LONGEST else None


def after(now: datetime, text: str) -> datetime:
    return now + (length(text) or timedelta())
