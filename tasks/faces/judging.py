"""What a detector's answers are worth on held-out pictures: average precision at both thresholds, by FDDB's definition.

The published programs halve the detector's threshold when noise is on, so every figure names the one it was taken at:
``ap`` counts detections of at least THRESHOLD, ``ap_halved`` those of at least half of it; both by the discrete score.
``ap_continuous`` is at THRESHOLD by the continuous score, which asks how well a face is outlined.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from tasks.faces import dataset, fddb
from tasks.faces.anchors import faces_of
from tasks.faces.configs import Configuration
from tasks.faces.dataset import Example
from tasks.faces.fddb import CONTINUOUS, DISCRETE, Found
from tasks.faces.training import answers_of

THRESHOLD, HALVED = 0.5, 0.25
AP, AP_HALVED, AP_CONTINUOUS = "ap", "ap_halved", "ap_continuous"
FIGURES = {AP: (DISCRETE, THRESHOLD), AP_HALVED: (DISCRETE, HALVED), AP_CONTINUOUS: (CONTINUOUS, THRESHOLD)}
SEEN = ("ssim", "psnr", "recognised")
DRAWS = 300
_SEED = 1

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Curves:
    """Of one model on the same pictures: by the score, what each detection adds."""

    steps: Mapping[str, list[fddb.Steps]]

    @classmethod
    def of(cls, found: Sequence[Found]) -> Curves:
        return cls({score: fddb.steps(found, score) for score in (DISCRETE, CONTINUOUS)})

    def figures(self) -> dict[str, float]:
        return {name: float(values[0]) for name, values in self.drawn(None).items()}

    def drawn(self, weights: Floats | None) -> dict[str, Floats]:
        """Each figure on every draw of the bootstrap [draws]; ``weights`` as ``weights_of_draws`` has them."""
        ranked = {score: fddb.Ranked.of(steps) for score, steps in self.steps.items()}
        return {
            name: ranked[score].average_precision(threshold, weights) for name, (score, threshold) in FIGURES.items()
        }


@dataclass(frozen=True)
class Point:
    """One kind of noise at one ALPHA: ``curves`` of its detections, and what an attacker made out of each picture.

    ``faces`` [pictures], ``seen`` by figure [pictures], nan where a picture has no face.
    """

    curves: Curves
    faces: Floats
    seen: Mapping[str, Floats]

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]]) -> Point:
        """From the rows that ``sweep`` left."""
        steps = {
            score: [
                fddb.Steps(np.array(row["chances"]), np.array(row["gains"][score]), int(row["faces"])) for row in rows
            ]
            for score in (DISCRETE, CONTINUOUS)
        }
        seen = {name: np.array([row[name] for row in rows], np.float64) for name in SEEN}
        return cls(Curves(steps), np.array([row["faces"] for row in rows], np.float64), seen)

    def figures(self) -> dict[str, float]:
        """Average precision, and likeness as the mean over faces."""
        return {name: float(values[0]) for name, values in self.drawn(None).items()}

    def drawn(self, weights: Floats | None) -> dict[str, Floats]:
        """Each figure on every draw of the bootstrap [draws]."""
        counts = self.faces * (np.ones((1, len(self.faces))) if weights is None else weights)
        total = np.maximum(counts.sum(axis=1), 1e-12)
        likeness = {name: counts @ np.nan_to_num(values) / total for name, values in self.seen.items()}
        return self.curves.drawn(weights) | likeness


def found(chosen: Configuration, examples: Sequence[Example], answers: npt.NDArray[np.float32]) -> list[Found]:
    """Set the faces that answers [N, anchors, 5] speak of beside the annotated ones, in each picture's own pixels."""
    made = []
    for example, answer in zip(examples, answers, strict=True):
        boxes, chances = faces_of(chosen, answer, HALVED)
        size = np.array([example.width, example.height] * 2, np.float32)
        made.append(fddb.found(boxes * size, chances, example.faces))
    return made


def clear(network: nn.Module, chosen: Configuration, examples: Sequence[Example], device: str) -> dict[str, float]:
    """Figures without noise."""
    answers = answers_of(network, dataset.batch(examples), device)
    return Curves.of(found(chosen, examples, answers)).figures()


def weights_of_draws(pictures: int, draws: int = DRAWS) -> Floats:
    """How often each picture counts in each draw of the bootstrap [draws, pictures]; the same in every run."""
    random = np.random.default_rng(_SEED)
    return random.multinomial(pictures, np.full(pictures, 1 / pictures), size=draws).astype(np.float64)


def told(figures: Mapping[str, float]) -> str:
    """The figures in one line, each with the threshold it was taken at."""
    return (
        f"AP {figures[AP]:.4f} at threshold {THRESHOLD:g}, {figures[AP_HALVED]:.4f} at the halved one ({HALVED:g}), "
        f"{figures[AP_CONTINUOUS]:.4f} by the continuous score"
    )
