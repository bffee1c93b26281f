"""What a task's parameters, as templates left them, mean for a workload."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from ontap_mlops.compute.workload import Mount


def places(compute: Any) -> list[Any]:
    """Places in order: from a list, its text as a template leaves it, names joined by commas, or one by value."""
    if isinstance(compute, str) and compute.strip().startswith(("[", "{")):
        compute = ast.literal_eval(compute.strip())
    if isinstance(compute, Mapping):
        return [compute]
    parts = compute.split(",") if isinstance(compute, str) else compute
    named = [part.strip() if isinstance(part, str) else part for part in parts if part]
    return [part for number, part in enumerate(named) if part and part not in named[:number]]


def arguments(given: Any) -> tuple[str, ...]:
    """From a list, or a mapping of flags; empty and None entries are left out, records and lists become JSON."""
    if isinstance(given, Mapping):
        given = [part for flag, value in given.items() for part in _flag(flag, value)]
    return tuple(_text(argument) for argument in given or () if argument not in (None, ""))


def _text(argument: Any) -> str:
    return json.dumps(argument) if isinstance(argument, dict | list) else str(argument)


def _flag(flag: str, value: Any) -> list[Any]:
    name = f"--{flag.replace('_', '-')}"
    if value is None or value is False or value == "":
        return []
    return [name] if value is True else [name, value]


def labels(flags: Sequence[str], arguments: Sequence[str]) -> dict[str, str]:
    """The values that these flags have among the arguments, ``--flag value`` or ``--flag=value``."""
    found = {}
    for flag in flags:
        name = f"--{flag.replace('_', '-')}"
        for part, after in zip(arguments, [*arguments[1:], ""], strict=True):
            if part == name:
                found[flag] = after
            elif part.startswith(f"{name}="):
                found[flag] = part.partition("=")[2]
    return found


def as_mount(key: str, value: Any) -> Mount:
    """From ``svm:/junction``, a mapping with these two, or such a mapping as JSON text."""
    if isinstance(value, str) and value.startswith("{"):
        value = json.loads(value)
    if isinstance(value, str) and ":/" in value:
        svm, _, junction_path = value.partition(":")
        return Mount(svm=svm, junction_path=junction_path)
    if isinstance(value, Mapping) and value.get("svm") and value.get("junction_path"):
        read_only = bool(value.get("read_only", False))
        return Mount(
            svm=value["svm"],
            junction_path=value["junction_path"],
            read_only=read_only,
            bucket=value.get("bucket") or None,
        )
    raise ValueError(f"mount {key!r} is {value!r}; give 'svm:/junction' or a mapping with svm and junction_path")


def seconds(limit: timedelta | float | None) -> float | None:
    return limit.total_seconds() if isinstance(limit, timedelta) else limit
