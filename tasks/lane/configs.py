"""The two ways to train, whole; flags of the programs change single values."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.common import configurations

SLOTS = 6
"""Lanes that can be told apart: three on each side of the camera, from left to right."""


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """Everything that, with data, seed and number of processes, decides the trained weights."""

    network: str
    width: int
    height: int
    """Of what the network is given, in pixels; pictures are made this size."""
    epochs: int
    batch_size: int
    """Pictures of one process in a step; all processes together take so many times as many."""
    learning_rate: float
    weight_decay: float
    validation_batch: int
    background_weight: float = 0.4
    """Of points that are on no lane, in the loss: there are far more of them."""
    existence_weight: float = 0.1
    """Of whether a lane is there at all, in the loss."""

    def __post_init__(self) -> None:
        configurations.above_zero(self, "epochs", "batch_size", "learning_rate", "validation_batch")


CONFIGURATIONS = {
    # Trains on one core in seconds: a narrow network on small pictures, with norms that look at one picture at a time.
    "small": Configuration(
        network="small",
        width=160,
        height=96,
        epochs=12,
        batch_size=8,
        learning_rate=4e-3,
        weight_decay=1e-4,
        validation_batch=32,
    ),
    # SCNN (arXiv 1712.06080) on a VGG-16 in its size for TuSimple, with the batches of the published job.
    "published": Configuration(
        network="scnn",
        width=800,
        height=288,
        epochs=60,
        batch_size=33,
        learning_rate=1e-3,
        weight_decay=1e-4,
        validation_batch=99,
    ),
}
DEFAULT = "small"


def configuration(name: str, **changes: float | int | None) -> Configuration:
    """Return a named configuration with single values changed; None leaves a value as it is."""
    return configurations.choose(CONFIGURATIONS, name, **changes)
