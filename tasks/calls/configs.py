"""The two ways to train, whole; flags of the program change single values."""

from __future__ import annotations

from tasks.common import configurations
from tasks.common.configurations import OnEncoder as Configuration

CONFIGURATIONS = {
    # All of the pretrained BERT is tuned, as published. Wants a GPU.
    "published": Configuration(tunes_encoder=True, epochs=3, batch_size=32, learning_rate=5e-5),
    # The encoder stays as it is, so that each sentence goes through it once: a CPU is done in seconds.
    "small": Configuration(tunes_encoder=False, epochs=20, batch_size=32, learning_rate=1e-3, hidden=64),
}
DEFAULT = "small"


def configuration(name: str, **changes: float | int | None) -> Configuration:
    """Return a named configuration with single values changed; None leaves a value as it is."""
    return configurations.choose(CONFIGURATIONS, name, **changes)
