"""The two ways to train, whole; flags of the programs change single values.

Measured on the sample images, held-out part of 600 images and of all 1,856 (CPU seconds of the whole program, torch's
import included, on a busy two-core machine):

| Configuration | 600: accuracy | ROC AUC | CPU s | 1,856: accuracy | ROC AUC | CPU s |
| --- | --- | --- | --- | --- | --- | --- |
| walkthrough | 0.575 | 0.535 | 439 | not measured | | |
| recommended | 0.908 | 0.937 | 38 | 0.941 | 0.980 | 97 |

120 held-out images are too few to tell variants apart. Trained on the 600 and judged on 600 others, by one thread
(``python -m tasks.tyre.compare_networks --data A --judge-on B``, A and B drawn with ``--seed 1`` and ``--seed 2``):

| Variant | Accuracy | ROC AUC | CPU s |
| --- | --- | --- | --- |
| recommended | 0.863 | 0.921 | 37 |
| narrower: a third fewer filters in every layer but the first | 0.850 | 0.918 | 25 |
| a wider beginning | 0.867 | 0.935 | 57 |
| batches of 32 | 0.840 | 0.912 | 30 |
| half the learning rate | 0.838 | 0.909 | 28 |
| images shown one way only | 0.847 | 0.914 | 29 |
| constant learning rate | 0.547 | 0.659 | 28 |
| half the epochs | 0.788 | 0.859 | 15 |

One seed each, and a standard error of 0.014: narrower and wider cannot be told from the recommended one by accuracy;
the schedule and the number of epochs can. The learning rate was chosen on these same 600 others, and how strong the
sample defects are was set so that the recommended network is neither near chance nor near certain.
"""

from __future__ import annotations

from dataclasses import dataclass

from tasks.common import configurations
from tasks.common.program import BadInput


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """Everything that, with data and seed, decides the trained weights."""

    network: str
    epochs: int
    batch_size: int
    learning_rate: float
    """Of Adam; the highest one where ``schedule`` is "one-cycle"."""
    weight_decay: float = 0.0
    schedule: str = "constant"
    """"constant", or "one-cycle": up for the first quarter of the steps, then down to 1 % as a cosine."""
    turns: bool = False
    """Show each batch mirrored or turned by a quarter at random: a tyre is as good from any side."""
    micro_batch: int = 64
    """Images at a time through the network; gradients of a batch are added up. For memory only."""

    def __post_init__(self) -> None:
        configurations.above_zero(self, "epochs", "batch_size", "learning_rate", "micro_batch")
        if self.schedule not in ("constant", "one-cycle"):
            raise BadInput(f"schedule {self.schedule!r} is not known; choose constant or one-cycle.")


CONFIGURATIONS = {
    # The walkthrough's network and settings. At full resolution it keeps 32 to 64 channels of 220x220, 3.2 GB for a
    # batch of 64 with gradients; 8 images at a time give the same gradient in an eighth of that.
    "walkthrough": Configuration(
        network="walkthrough", epochs=2, batch_size=64, learning_rate=1e-3, schedule="constant", micro_batch=8
    ),
    "recommended": Configuration(
        network="compact",
        epochs=10,
        batch_size=16,
        learning_rate=6e-3,
        weight_decay=0.01,
        schedule="one-cycle",
        turns=True,
    ),
}
DEFAULT = "recommended"
# What is told of a model, by its names in the results and in metrics.Judgement.
FIGURES = {name: name for name in ("accuracy", "precision", "recall", "f1", "roc_auc", "log_loss")}


def configuration(name: str, **changes: float | int | None) -> Configuration:
    """Return a named configuration with single values changed; None leaves a value as it is."""
    return configurations.choose(CONFIGURATIONS, name, **changes)
