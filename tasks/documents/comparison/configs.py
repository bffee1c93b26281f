"""The ways to tune the encoder, whole; flags of the program change single values."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.common import configurations


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """Everything that, with data, encoder and seed, decides the weights of the tuned encoder."""

    layers: int
    """The uppermost ones, that are tuned; 0: all of them, and the pieces of words too."""
    epochs: int
    batch_size: int
    """Questions with their passages; of each question, the other passages of its batch are the wrong ones."""
    learning_rate: float
    """Of AdamW; rises for a tenth of the steps and falls along a cosine."""
    weight_decay: float = 0.01
    scale: float = 20.0
    """By which cosines are multiplied before they become chances."""

    def __post_init__(self) -> None:
        configurations.above_zero(self, "epochs", "batch_size", "learning_rate", "scale")


CONFIGURATIONS = {
    # Two of six layers: half of the arithmetic, and what is made of single words stays as general as it was.
    "small": Configuration(layers=2, epochs=2, batch_size=32, learning_rate=1e-4),
    # All of it. Wants a GPU.
    "whole": Configuration(layers=0, epochs=3, batch_size=64, learning_rate=3e-5),
}
DEFAULT = "small"


def configuration(name: str, **changes: float | int | None) -> Configuration:
    """Return a named configuration with single values changed; None leaves a value as it is."""
    return configurations.choose(CONFIGURATIONS, name, **changes)
