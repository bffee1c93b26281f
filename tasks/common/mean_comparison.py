"""How much better one model is than another by the mean of a figure of each row, with an interval: paired bootstrap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tasks.common.comparison import CONFIDENCE, METHOD
from tasks.common.metrics import Floats
from tasks.common.program import BadInput

DRAWS = 1000
_SEED = 1


def compare_means(
    challenger: Mapping[str, Floats],
    champion: Mapping[str, Floats],
    better: Mapping[str, int],
    confidence: float = CONFIDENCE,
) -> dict[str, dict[str, Any]]:
    """``gain`` of the challenger by figure, above 0 where it is better, with ``low`` and ``high`` of the interval.

    Rows are drawn again with replacement, both models on the same draw, and the same draws in every run.

    :param challenger, champion: by figure, its value for each row [N].
    :param better: by figure, 1 where more of it is better and -1 where less is.
    """
    if not 0 < confidence < 1:
        raise BadInput(f"--confidence is {confidence}; it must be between 0 and 1, such as 0.95.")
    random, edges = np.random.default_rng(_SEED), [(1 - confidence) / 2, (1 + confidence) / 2]
    gains = {name: sign * (challenger[name] - champion[name]) for name, sign in better.items()}
    rows = len(next(iter(gains.values())))
    weights = random.multinomial(rows, np.full(rows, 1 / rows), size=DRAWS) / rows
    found = {}
    for name, gain in gains.items():
        low, high = np.quantile(weights @ gain, edges)
        values = {"gain": float(gain.mean()), "low": float(low), "high": float(high)}
        found[name] = {**values, "confidence": confidence, "method": METHOD}
    return found
