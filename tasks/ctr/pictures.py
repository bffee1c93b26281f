"""Pictures of trainings, as PNG files; a report is what ``tasks.ctr.train`` hands back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tasks.common.metrics import Band
from tasks.common.pictures import draw_calibration, save


def draw_bands(path: Path, models: Mapping[str, Sequence[Band]]) -> None:
    """Predicted against actual share of clicks, a line per model."""
    points = {name: [(band.predicted, band.actual) for band in bands] for name, bands in models.items()}
    draw_calibration(path, points, "clicks")


def draw_reports(path: Path, reports: Mapping[str, Mapping[str, Any]]) -> None:
    """As ``draw_bands``, a line per engine."""
    points = {name: [(band[1], band[2]) for band in report["calibration"]] for name, report in reports.items()}
    draw_calibration(path, points, "clicks")


def draw_comparison(path: Path, reports: Mapping[str, Mapping[str, Any]]) -> None:
    """Seconds to load and to train, and memory at the peak, a bar per engine."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 0.9 + 0.5 * len(reports)), layout="constrained")
    times, sizes = figure.subplots(1, 2)
    names = list(reports)[::-1]
    begun = [0.0] * len(names)
    for step in ("start", "load", "train"):
        seconds = [reports[name]["seconds"].get(step, 0.0) for name in names]
        times.barh(names, seconds, left=begun, label=step, height=0.6)
        begun = [left + width for left, width in zip(begun, seconds, strict=True)]
    times.set_xlabel("seconds from file to model")
    times.legend(fontsize=8)
    sizes.barh(names, [reports[name]["memory"]["peak"] / 2**30 for name in names], color="grey", height=0.6)
    sizes.set_xlabel("peak memory, GiB")
    sizes.set_yticks([])
    save(figure, path)
