"""Pictures of reports, as PNG files; a report is what ``tasks.ctr.train`` hands back."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.common.result import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MARKERS = "osD^v"


def draw_calibration(path: Path, reports: Mapping[str, Mapping[str, Any]]) -> None:
    """Predicted against actual click rate by tenths of the predictions, a line per engine."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for place, (name, report) in enumerate(reports.items()):
        predicted = [band[1] for band in report["calibration"]]
        clicked = [band[2] for band in report["calibration"]]
        marker = _MARKERS[place % len(_MARKERS)]
        axes.plot(predicted, clicked, marker=marker, markersize=4, linewidth=1, label=name)
    highest = max(max(band[1:]) for report in reports.values() for band in report["calibration"])
    axes.plot([0, highest], [0, highest], color="grey", linestyle=":", linewidth=1)
    axes.set_xlabel("predicted share of clicks")
    axes.set_ylabel("actual share of clicks")
    axes.legend(loc="upper left", fontsize=8)
    _save(figure, path)


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
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=110)
    write_whole(path, file.getvalue())
