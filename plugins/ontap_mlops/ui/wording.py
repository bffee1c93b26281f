"""Sizes, times and numbers as the pages write them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
NOTHING = "\N{EN DASH}"


def size(value: int | float | None) -> str:
    if value is None:
        return NOTHING
    number, unit = float(value), 0
    while abs(number) >= 999.5 and unit < len(_UNITS) - 1:
        number, unit = number / 1000, unit + 1
    return f"{number:,.0f} {_UNITS[unit]}" if unit < 2 or abs(number) >= 100 else f"{number:,.1f} {_UNITS[unit]}"


def more(value: int | None, of_bytes: bool = False) -> str:
    """A difference with its sign."""
    if value is None:
        return NOTHING
    if value == 0:
        return "same"
    sign = "+" if value > 0 else "\N{MINUS SIGN}"
    return sign + (size(abs(value)) if of_bytes else f"{abs(value):,}")


def time(value: datetime | None) -> str:
    return f"{value:%Y-%m-%d %H:%M} UTC" if value else NOTHING


def share(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.0%}"


def number(value: Any) -> str:
    if value is None:
        return NOTHING
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}" if isinstance(value, float) else str(value)


def lasted(begin: datetime | None, end: datetime | None) -> str:
    if begin is None or end is None:
        return NOTHING
    seconds = int((end - begin).total_seconds())
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min {seconds % 60} s"
