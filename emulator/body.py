"""Checks what a request sends: only fields that the resource accepts, each of the right type."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from emulator import query
from emulator.errors import BadValue, OntapError, UnknownArgument

Converter = Callable[[Any], Any]
Accepts = dict[str, Converter]

# No request of ONTAP's comes near it; what does would end in Python's own limit.
DEEPEST = 32
_DIGITS = re.compile(r"-?[0-9]{1,19}")


def text(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError("string")
    return value


def number(value: Any) -> int:
    """A whole number of 64 bits, which may come as text."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("integer")
    if isinstance(value, str) and not _DIGITS.fullmatch(value):
        raise ValueError("integer")
    if abs(int(value)) > query.LARGEST:
        raise ValueError("integer")
    return int(value)


def size(value: Any) -> int:
    """Bytes, given as a number or as text such as ``10GB``."""
    return query.size(value) if isinstance(value, str) else number(value)


def flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return value == "true"
    raise ValueError("true or false")


def moment(value: Any) -> str:
    """An ISO 8601 time with a zone, kept as text."""
    parsed = datetime.fromisoformat(text(value))
    if parsed.tzinfo is None:
        raise ValueError("time with a zone")
    return parsed.isoformat()


def texts(value: Any) -> list[str]:
    return [text(item) for item in value] if isinstance(value, list) else [text(value)]


def anything(value: Any) -> Any:
    return value


def checked(body: Any, accepts: Accepts, lists: Collection[str] = ()) -> dict[str, Any]:
    """The body with dotted names opened up and every value converted.

    ``lists`` are the names of objects that come as lists. 262179 for an unknown name, 262197 for a wrong type.
    An object or a list that is null is as good as not sent, and one object may stand for a list of it.
    """
    if not isinstance(body, dict):
        raise OntapError("The request body is not a JSON object.")
    return _Check(accepts, frozenset(lists)).walk(_nested(body, 0), "")


def without_nulls(value: Any) -> Any:
    """The same without what was sent as null, which in a POST is as good as not sent."""
    if isinstance(value, dict):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def _nested(body: dict[str, Any], depth: int) -> dict[str, Any]:
    """ONTAP takes ``{"svm.name": "a"}`` for ``{"svm": {"name": "a"}}``."""
    result: dict[str, Any] = {}
    for key, value in body.items():
        parts = key.split(".")
        if depth + len(parts) > DEEPEST:
            raise OntapError(f"The request body is nested more than {DEEPEST} levels deep.")
        _put(result, parts, _opened(value, depth + len(parts)))
    return result


def _put(result: dict[str, Any], parts: list[str], value: Any) -> None:
    """Set a value below the given names, in place: copies for each of a hundred thousand names would take minutes."""
    *folders, leaf = parts
    for folder in folders:
        if not isinstance(result.get(folder), dict):
            result[folder] = {}
        result = result[folder]
    there = result.get(leaf)
    if not isinstance(value, dict) or not isinstance(there, dict):
        result[leaf] = value
        return
    for name, inner in value.items():
        _put(there, [name], inner)


def _opened(value: Any, depth: int) -> Any:
    if depth > DEEPEST:
        raise OntapError(f"The request body is nested more than {DEEPEST} levels deep.")
    if isinstance(value, list):
        return [_opened(item, depth + 1) for item in value]
    return _nested(value, depth) if isinstance(value, dict) else value


def merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Nested dictionaries joined; where both have a plain value, the new one stays."""
    result = dict(old)
    for key, value in new.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


@dataclass(frozen=True)
class _Check:
    accepts: Accepts
    lists: frozenset[str]

    def walk(self, body: dict[str, Any], prefix: str) -> dict[str, Any]:
        found = {key: self.value(value, prefix + key) for key, value in body.items() if not key.startswith("_links")}
        return {key: value for key, value in found.items() if value is not None or prefix + key in self.accepts}

    def value(self, value: Any, name: str) -> Any:
        if name in self.accepts:
            return _converted(value, self.accepts[name], name)
        if not any(key.startswith(name + ".") for key in self.accepts):
            raise UnknownArgument(name)
        if value is None:
            return None
        if name not in self.lists:
            return self.object(value, name)
        return [self.object(item, name) for item in (value if isinstance(value, list) else [value])]

    def object(self, value: Any, name: str) -> dict[str, Any]:
        """An object; where it has a name, that alone may stand for it."""
        if isinstance(value, dict):
            return self.walk(value, name + ".")
        if isinstance(value, str) and f"{name}.name" in self.accepts:
            return {"name": _converted(value, self.accepts[f"{name}.name"], f"{name}.name")}
        raise BadValue(value, name, "object")


def _converted(value: Any, convert: Converter, name: str) -> Any:
    if value is None:
        return None
    try:
        return convert(value)
    except (ValueError, TypeError, OverflowError) as error:
        raise BadValue(value, name) from error
