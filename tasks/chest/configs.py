"""The two ways to train, whole; flags of the programs change single values."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.common import configurations
from tasks.common.program import BadInput


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """Everything that, with data and seed, decides the trained weights. ``side`` is that of a picture, in pixels."""

    network: str
    side: int
    epochs: int
    batch_size: int
    learning_rate: float
    """Of AdamW; the highest one where ``schedule`` is "one-cycle"."""
    weight_decay: float = 0.0
    schedule: str = "constant"
    """"constant", or "one-cycle": up for the first quarter of the steps, then down to 1 % as a cosine."""
    shift: int = 0
    """Pixels by which a batch is moved at random to each side: nobody stands exactly in the middle."""
    micro_batch: int = 128
    """Pictures at a time through the network; gradients of a batch are added up. For memory only."""

    def __post_init__(self) -> None:
        configurations.above_zero(self, "side", "epochs", "batch_size", "learning_rate", "micro_batch")
        if self.schedule not in ("constant", "one-cycle"):
            raise BadInput(f"schedule {self.schedule!r} is not known; choose constant or one-cycle.")


CONFIGURATIONS = {
    # As published: ResNet-50, batches of 128, 10 epochs. Wants a GPU: a picture takes 4 billion multiplications, and a
    # batch of 128 about 12 GB with its gradients.
    "published": Configuration(network="resnet-50", side=224, epochs=10, batch_size=128, learning_rate=1e-3),
    # The same kind of network with one small block a stage, on pictures of 64 x 64: a CPU trains it in a minute.
    "small": Configuration(
        network="small",
        side=64,
        epochs=12,
        batch_size=32,
        learning_rate=4e-3,
        weight_decay=0.01,
        schedule="one-cycle",
        shift=2,
    ),
}
DEFAULT = "small"


def configuration(name: str, **changes: float | int | None) -> Configuration:
    """Return a named configuration with single values changed; None leaves a value as it is."""
    return configurations.choose(CONFIGURATIONS, name, **changes)
