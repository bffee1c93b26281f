"""The two ways to train, whole; flags of the program change single values."""

from __future__ import annotations

from tasks.common import configurations
from tasks.common.configurations import OnEncoder as Configuration

CONFIGURATIONS = {
    # As published: all of a pretrained BERT is tuned, one plain layer for each answer, 50 epochs. Wants a GPU.
    "published": Configuration(tunes_encoder=True, epochs=50, batch_size=32, learning_rate=2e-5),
    # The encoder stays as it is, so that each question goes through it once: a CPU is done in a minute.
    "small": Configuration(tunes_encoder=False, epochs=30, batch_size=32, learning_rate=3e-3, hidden=128),
}
DEFAULT = "small"


def configuration(name: str, **changes: float | int | None) -> Configuration:
    """Return a named configuration with single values changed; None leaves a value as it is."""
    return configurations.choose(CONFIGURATIONS, name, **changes)
