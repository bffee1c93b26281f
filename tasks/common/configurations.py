"""Named ways to train: what the ``configs.py`` of every system has in common."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from tasks.common.program import BadInput

C = TypeVar("C")


def choose(known: Mapping[str, C], name: str, **changes: float | int | None) -> C:
    """Return a named configuration with single values changed; None leaves a value as it is. Raises BadInput."""
    if name not in known:
        raise BadInput(f"There is no configuration {name!r}; choose from {', '.join(known)}.")
    given: dict[str, Any] = {field: value for field, value in changes.items() if value is not None}
    return dataclasses.replace(known[name], **given)  # type: ignore[type-var]


def above_zero(configuration: object, *names: str) -> None:
    """Raise BadInput where one of these fields is not above 0."""
    for name in names:
        if getattr(configuration, name) <= 0:
            raise BadInput(f"{name.replace('_', '-')} is {getattr(configuration, name)}; it must be above 0.")


@dataclass(frozen=True, kw_only=True)
class OnEncoder:
    """Everything that, with data, encoder and seed, decides the weights of a network on a pretrained encoder."""

    tunes_encoder: bool
    """Whether the encoder is trained as well, or only what stands on it."""
    epochs: int
    batch_size: int
    learning_rate: float
    """Of AdamW; falls to 0 in a straight line."""
    weight_decay: float = 0.01
    hidden: int = 0
    """Width of the layer between the encoder and each answer; 0: none."""
    dropout: float = 0.1

    def __post_init__(self) -> None:
        above_zero(self, "epochs", "batch_size", "learning_rate")
