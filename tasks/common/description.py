"""A training's description: the facts that decide its model, as one value and as parameters of an MLflow run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any


def identity_of(facts: Mapping[str, Any], without: Sequence[str] = ()) -> str:
    """SHA-256: a checkpoint goes on with the training of this identity only.

    :param without: facts that may change in between, such as the version of a library.
    """
    decisive = {name: value for name, value in facts.items() if name not in without}
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


def parameters_of(facts: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return the facts named, those of a group as ``group.fact``; nothing that is empty."""
    flat: dict[str, Any] = {}
    for name in names:
        value = facts[name]
        flat |= {f"{name}.{key}": part for key, part in value.items()} if isinstance(value, Mapping) else {name: value}
    return {name: value for name, value in flat.items() if value not in ("", None)}
