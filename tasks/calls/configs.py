"""The two ways to train, whole; flags of the program change single values."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from tasks.common.program import BadInput


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """Everything that, with data, encoder and seed, decides the trained weights."""

    tunes_encoder: bool
    """Whether the encoder is trained as well, or only what stands on it."""
    epochs: int
    batch_size: int
    learning_rate: float
    """Of AdamW; falls to 0 in a straight line."""
    weight_decay: float = 0.01
    hidden: int = 64
    """Width of the layer between the encoder and the answer; 0: none."""
    dropout: float = 0.1

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "learning_rate"):
            if getattr(self, name) <= 0:
                raise BadInput(f"{name.replace('_', '-')} is {getattr(self, name)}; it must be above 0.")


CONFIGURATIONS = {
    # All of the pretrained BERT is tuned, as published. Wants a GPU.
    "published": Configuration(tunes_encoder=True, epochs=3, batch_size=32, learning_rate=5e-5, hidden=0),
    # The encoder stays as it is, so that each sentence goes through it once: a CPU is done in seconds.
    "small": Configuration(tunes_encoder=False, epochs=20, batch_size=32, learning_rate=1e-3),
}
DEFAULT = "small"


def configuration(name: str, **changes: float | int | None) -> Configuration:
    """Return a named configuration with single values changed; None leaves a value as it is."""
    if name not in CONFIGURATIONS:
        raise BadInput(f"There is no configuration {name!r}; choose from {', '.join(CONFIGURATIONS)}.")
    given: dict[str, Any] = {field: value for field, value in changes.items() if value is not None}
    return dataclasses.replace(CONFIGURATIONS[name], **given)
