"""Distributions of old and new rows side by side, as one picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tasks.common.metrics import Floats
from tasks.common.pictures import save
from tasks.drift.sample import Pair
from tasks.drift.verdict import Verdict

SHOWN, ACROSS, BINS = 6, 4, 24
OLD, NEW = "#7f8c9b", "#d9822b"


def draw(path: Path, pair: Pair, verdict: Verdict) -> None:
    """Draw the champion's chances, the most changed columns, and how right the champion was by its chances."""
    from matplotlib.figure import Figure

    shown = verdict.columns[:SHOWN]
    count = 1 + len(shown) + (verdict.concept is not None)
    rows = -(-count // ACROSS)
    figure = Figure(figsize=(3.2 * ACROSS, 2.6 * rows), layout="constrained")
    axes = figure.subplots(rows, ACROSS, squeeze=False).ravel()
    for axis in axes[count:]:
        axis.set_axis_off()
    changed = verdict.confidence is not None and verdict.confidence.drifted
    _histograms(axes[0], pair.before.chances, pair.after.chances, pair.chance, changed)
    for axis, column in zip(axes[1:], shown, strict=False):
        old, new = pair.before.columns[column.name], pair.after.columns[column.name]
        _histograms(axis, old, new, f"{column.name}: {column.distance:.2f}", column.drifted)
    if verdict.concept is not None:
        _by_chance(axes[count - 1], pair)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8)
    save(figure, path)


def _histograms(axis: Any, old: Floats, new: Floats, title: str, drifted: bool) -> None:
    """Shares of the rows in bins between quantiles of both; what lies beyond is in the outer bins."""
    both = np.concatenate([old, new])
    if not len(both):
        axis.set_axis_off()
        return
    low, high = np.quantile(both, [0.01, 0.95])
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    for values, colour, name in ((old, OLD, "then"), (new, NEW, "now")):
        if len(values):
            weights = np.full(len(values), 1 / len(values))
            shown = np.clip(values, edges[0], edges[-1])
            axis.hist(shown, edges, weights=weights, color=colour, alpha=0.55, label=name)
    axis.set_title(title, fontsize=9, color="#b02a1e" if drifted else "black")
    axis.tick_params(labelsize=7)


def _by_chance(axis: Any, pair: Pair) -> None:
    """Draw the mean of the figure by strata of the champion's chances."""
    edges = np.unique(np.quantile(pair.before.chances[pair.before.labelled], np.linspace(0, 1, 9)))
    for sample, colour, name in ((pair.before, OLD, "then"), (pair.after, NEW, "now")):
        chances, figures = sample.chances[sample.labelled], sample.figures[sample.labelled]
        strata = np.clip(np.searchsorted(edges, chances, "right") - 1, 0, max(len(edges) - 2, 0))
        points = [(chances[strata == s].mean(), figures[strata == s].mean()) for s in np.unique(strata)]
        axis.plot(*zip(*points, strict=True), "o-", color=colour, label=name, markersize=4)
    axis.set_title(f"{pair.figure} by the {pair.chance}", fontsize=9)
    axis.tick_params(labelsize=7)
