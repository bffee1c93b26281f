"""ONTAP's query operators: which records of a collection match ``name=a*|b*&size=>1GB``."""

from __future__ import annotations

import fnmatch
import re
from datetime import UTC, datetime
from typing import Any

_SIZE = re.compile(r"([0-9]{1,19})(?:\.([0-9]{1,9}))?\s*([KMGTP]B?|B)?", re.IGNORECASE)
LARGEST = 2**63 - 1
"""ONTAP's integers have 64 bits."""
_UNITS = {"B": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4, "P": 1024**5}


def size(text: str) -> int:
    """Bytes named by a number with an optional unit by 1024, such as 10GB or 10g; ValueError when it is none."""
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text!r} is not a size")
    unit = _UNITS[(match[3] or "B")[0].upper()]
    digits = match[2] or "0"
    size = int(match[1]) * unit + int(digits) * unit // 10 ** len(digits)
    if size > LARGEST:
        raise ValueError(f"{text!r} is over {LARGEST}")
    return size


def values(record: Any, field: str) -> list[Any]:
    """All values that a dotted field has in a record; several where the path goes through a list."""
    found = [record]
    for part in field.split("."):
        found = [inner for value in found for inner in (value if isinstance(value, list) else [value])]
        found = [value[part] for value in found if isinstance(value, dict) and value.get(part) is not None]
    plain = [inner for value in found for inner in (value if isinstance(value, list) else [value])]
    return [_compared(value) for value in plain]


def _compared(value: Any) -> Any:
    """What a query or an order compares: of an object such as ``svm`` its name."""
    return value.get("name", value) if isinstance(value, dict) else value


def matches(record: dict[str, Any], filters: dict[str, str]) -> bool:
    return all(_field_matches(values(record, field), text) for field, text in filters.items())


def _field_matches(found: list[Any], text: str) -> bool:
    if text == "null":
        return not found
    if text == "!null":
        return bool(found)
    # A field that is not set never matches, not even "!something".
    if text.startswith("!"):
        return bool(found) and not any(_any_of(value, text[1:]) for value in found)
    return any(_any_of(value, text) for value in found)


def mentions(record: dict[str, Any], fields: list[str], text: str) -> bool:
    """Whether any of the fields matches, as ``query`` with ``query_fields`` asks."""
    return any(_field_matches(values(record, field), text) for field in fields)


def _any_of(value: Any, text: str) -> bool:
    return any(_one(value, choice.strip()) for choice in text.split("|"))


def _one(value: Any, text: str) -> bool:
    if isinstance(value, dict):
        return text == "*"
    if len(text) > 1 and text.startswith('"') and text.endswith('"'):
        return str(value) == text[1:-1]
    for operator in ("<=", ">=", "<", ">"):
        if text.startswith(operator):
            return _compare(value, operator, text[len(operator) :])
    if ".." in text:
        low, _, high = text.partition("..")
        return (not low or _compare(value, ">=", low)) and (not high or _compare(value, "<=", high))
    if isinstance(value, str):
        return fnmatch.fnmatchcase(value, text.replace("[", "[[]")) or _compare_equal(value, text)
    return text == "*" or _compare_equal(value, text)


def _compare_equal(value: Any, text: str) -> bool:
    wanted = _like(value, text)
    return wanted is not None and _comparable(value) == wanted


def _compare(value: Any, operator: str, text: str) -> bool:
    left, right = _comparable(value), _like(value, text)
    if right is None:
        return False
    return {"<": left < right, ">": left > right, "<=": left <= right, ">=": left >= right}[operator]


def _comparable(value: Any) -> Any:
    return (_moment(value) or value) if isinstance(value, str) else value


def _like(value: Any, text: str) -> Any:
    """The query text read as the same type as the value, or None when it cannot be."""
    if isinstance(value, bool):
        return {"true": True, "false": False}.get(text.lower())
    if isinstance(value, int | float):
        try:
            return size(text)
        except ValueError:
            return None
    if _moment(str(value)):
        return _moment(text)
    return text


def _moment(text: str) -> datetime | None:
    if len(text) < 10 or text[4:5] != "-":
        return None
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
