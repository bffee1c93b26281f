"""Checks what a request sends: only fields that the resource accepts, each of the right type."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from emulator import query
from emulator.errors import BadValue, OntapError, UnknownArgument

Converter = Callable[[Any], Any]
Accepts = dict[str, Converter]


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("string")
    return value


def number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
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


def checked(body: Any, accepts: Accepts) -> dict[str, Any]:
    """The body with dotted names opened up and every value converted; 262179 for an unknown name."""
    if not isinstance(body, dict):
        raise OntapError("The request body is not a JSON object.")
    return _walk(_nested(body), accepts, "")


def _nested(body: dict[str, Any]) -> dict[str, Any]:
    """ONTAP takes ``{"svm.name": "a"}`` for ``{"svm": {"name": "a"}}``."""
    result: dict[str, Any] = {}
    for key, value in body.items():
        inner = _nested(value) if isinstance(value, dict) else value
        for part in reversed(key.split(".")):
            inner = {part: inner}
        result = merged(result, inner)
    return result


def merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Nested dictionaries joined; where both have a plain value, the new one stays."""
    result = dict(old)
    for key, value in new.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


def _walk(body: dict[str, Any], accepts: Accepts, prefix: str) -> dict[str, Any]:
    return {key: _value(value, accepts, prefix + key) for key, value in body.items() if not key.startswith("_links")}


def _value(value: Any, accepts: Accepts, name: str) -> Any:
    if name in accepts:
        return _converted(value, accepts[name], name)
    if value is None and _has_inner(accepts, name):
        return None
    if isinstance(value, dict) and _has_inner(accepts, name):
        return _walk(value, accepts, name + ".")
    if isinstance(value, list) and _has_inner(accepts, name):
        return [_value(item, accepts, name) for item in value]
    raise UnknownArgument(name)


def _converted(value: Any, convert: Converter, name: str) -> Any:
    if value is None:
        return None
    try:
        return convert(value)
    except (ValueError, TypeError) as error:
        raise BadValue(value, name) from error


def _has_inner(accepts: Accepts, name: str) -> bool:
    return any(key.startswith(name + ".") for key in accepts)
