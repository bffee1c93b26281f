"""How well findings are told: the area under the ROC curve of each, with intervals over the patients.

Pictures of one patient are alike, so the bootstrap draws patients, each with all pictures of it. A finding that no
held-out picture shows, or every one, has no area; the mean is over those that have one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.chest.findings import FINDINGS
from tasks.common.metrics import Integers, Ranking, auc_of_counts
from tasks.common.program import BadInput

METHOD = "paired bootstrap over patients"
MEAN = "mean_auroc"
DRAWS = 500
_BINS = 2048
_SEED = 1

Scores = npt.NDArray[np.float64]
Truth = npt.NDArray[Any]


@dataclass(frozen=True)
class Scored:
    """``areas`` and their ``low`` and ``high``, by finding and for the mean; findings without an area are not there."""

    areas: dict[str, float]
    low: dict[str, float]
    high: dict[str, float]


def name_of(finding: str) -> str:
    """As a figure of a result: ``auroc_pleural_thickening``."""
    return f"auroc_{finding.lower()}"


def known(truth: Truth) -> list[int]:
    """Places of the findings that have an area on these rows."""
    shown = truth.astype(bool).sum(axis=0)
    return [place for place in range(len(FINDINGS)) if 0 < shown[place] < len(truth)]


def mean_auroc(scores: Scores, truth: Truth) -> float:
    """Of the findings that have an area; 0.5 where none has."""
    areas = [_area(scores[:, place], truth[:, place]) for place in known(truth)]
    return float(np.mean(areas)) if areas else 0.5


def score(scores: Scores, truth: Truth, patients: Sequence[str], confidence: float) -> Scored:
    """Judge one model's logits [N, findings] against the truth [N, findings]."""
    draws = _draws([scores], truth, patients)[0]
    names = [*(name_of(FINDINGS[place]) for place in known(truth)), MEAN]
    whole, edges = draws[0], _edges(draws[1:], confidence)
    return Scored(*(dict(zip(names, values.tolist(), strict=True)) for values in (whole, *edges)))


def compare(
    challenger: Scores, champion: Scores, truth: Truth, patients: Sequence[str], confidence: float
) -> dict[str, dict[str, Any]]:
    """``gain`` of the challenger by figure, with ``low`` and ``high``: both models on the same draws of patients."""
    one, other = _draws([challenger, champion], truth, patients)
    gains = one - other
    low, high = _edges(gains[1:], confidence)
    names = [*(name_of(FINDINGS[place]) for place in known(truth)), MEAN]
    return {
        name: {
            "gain": float(gains[0, place]),
            "low": float(low[place]),
            "high": float(high[place]),
            "confidence": confidence,
            "method": METHOD,
        }
        for place, name in enumerate(names)
    }


def _draws(models: Sequence[Scores], truth: Truth, patients: Sequence[str]) -> list[npt.NDArray[np.float64]]:
    """For each model [1 + draws, known findings and their mean]: of the rows as they are, then of each draw."""
    places = known(truth)
    if not places:
        raise BadInput(f"No finding is both shown and not shown by the {len(truth)} held-out pictures: add pictures.")
    _, owners = np.unique(np.asarray(patients), return_inverse=True)
    people = int(owners.max()) + 1
    random = np.random.default_rng(_SEED)
    weights = np.stack([np.bincount(random.integers(0, people, people), minlength=people) for _ in range(DRAWS)])
    return [_areas(scores, truth, places, weights[:, owners]) for scores in models]


def _areas(
    scores: Scores, truth: Truth, places: Sequence[int], weights: npt.NDArray[np.integer[Any]]
) -> npt.NDArray[np.float64]:
    found = np.empty((1 + len(weights), len(places) + 1))
    for column, place in enumerate(places):
        shown = truth[:, place].astype(bool)
        ranking = Ranking.of(scores[:, place], shown)
        codes: Integers = 2 * ranking.places(_BINS) + shown
        found[0, column] = ranking.roc_auc()
        found[1:, column] = [_weighted(codes, drawn) for drawn in weights]
    # A draw may have nobody with a finding: then it says nothing of that one.
    found[:, -1] = np.nanmean(found[:, :-1], axis=1)
    return found


def _weighted(codes: Integers, drawn: npt.NDArray[np.integer[Any]]) -> float:
    counts = np.bincount(codes, drawn)
    misses, hits = np.append(counts, np.zeros(len(counts) % 2)).reshape(-1, 2).T
    return auc_of_counts(hits, misses) if hits.sum() and misses.sum() else float("nan")


def _area(scores: npt.NDArray[np.float64], shown: Truth) -> float:
    return Ranking.of(scores, shown.astype(bool)).roc_auc()


def _edges(draws: npt.NDArray[np.float64], confidence: float) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    if not 0 < confidence < 1:
        raise BadInput(f"--confidence is {confidence}; it must be between 0 and 1, such as 0.95.")
    low, high = np.nanquantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    return low, high


def told(areas: Mapping[str, float]) -> str:
    """The figures in one line, the mean first."""
    rest = ", ".join(f"{name.removeprefix('auroc_')} {area:.3f}" for name, area in areas.items() if name != MEAN)
    return f"mean AUROC {areas[MEAN]:.3f}; {rest}"
