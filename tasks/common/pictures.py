"""Pictures of judgements, as PNG files."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tasks.common.metrics import Booleans, Floats, Judgement, Ranking
from tasks.common.result import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MARKERS = "osD^v"


def draw_confusion(path: Path, judgement: Judgement, classes: Sequence[str], title: str) -> None:
    """``classes`` are the names of the negative and of the positive one."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2, 3.8), layout="constrained")
    axes = figure.add_subplot()
    counts = np.array(judgement.confusion)
    axes.imshow(counts / counts.sum(axis=1, keepdims=True).clip(1), cmap="Blues", vmin=0, vmax=1)
    for truth, row in enumerate(counts):
        for predicted, count in enumerate(row):
            dark = count > row.sum() / 2
            axes.text(predicted, truth, str(count), ha="center", va="center", color="white" if dark else "black")
    axes.set_xticks(range(len(classes)), classes)
    axes.set_yticks(range(len(classes)), classes)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title(f"{title}: accuracy {judgement.accuracy:.3f}", fontsize=10)
    save(figure, path)


def draw_roc(path: Path, models: Mapping[str, tuple[Floats, Booleans]], classes: Sequence[str]) -> None:
    """One line per model, of its chances [N] for the rows it was judged on and what is so [N]."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for name, (scores, positives) in models.items():
        ranking = Ranking.of(scores, positives)
        axes.plot(*ranking.curve(), label=f"{name} (area {ranking.roc_auc():.3f})")
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":", linewidth=1)
    axes.set_xlabel(f"share of {classes[0]} called {classes[1]}")
    axes.set_ylabel(f"share of {classes[1]} found")
    axes.legend(loc="lower right", fontsize=8)
    save(figure, path)


def draw_calibration(path: Path, models: Mapping[str, Sequence[tuple[float, float]]], positive: str) -> None:
    """Predicted against actual share of positive rows by tenths of the predictions, a line per model."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for place, (name, points) in enumerate(models.items()):
        marker = _MARKERS[place % len(_MARKERS)]
        axes.plot(*zip(*points, strict=True), marker=marker, markersize=4, linewidth=1, label=name)
    highest = max(max(point) for points in models.values() for point in points)
    axes.plot([0, highest], [0, highest], color="grey", linestyle=":", linewidth=1)
    axes.set_xlabel(f"predicted share of {positive}")
    axes.set_ylabel(f"actual share of {positive}")
    axes.legend(loc="upper left", fontsize=8)
    save(figure, path)


def save(figure: Figure, path: Path) -> None:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=110)
    write_whole(path, file.getvalue())
