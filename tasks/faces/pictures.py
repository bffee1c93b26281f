"""What a sweep looks like: accuracy against privacy, and the faces as an attacker makes them out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.common.pictures import save
from tasks.faces.judging import AP, THRESHOLD
from tasks.faces.noise import BLUR, GAUSSIAN, LEARNED

if TYPE_CHECKING:
    from tasks.faces.choose import Curves, Swept

PRIVACY, ATTACK = "privacy.png", "attack.png"
# Mean average precision of ten folds by ALPHA, as published for FDDB and another detector's weights; what its ALPHA
# means is not, so ours beside it is no comparison of strengths. 0.9 and 0.95 are one figure to 16 digits.
PUBLISHED = {
    0.0: 0.9337,
    0.05: 0.9029,
    0.1: 0.9024,
    0.2: 0.9082,
    0.4: 0.9073,
    0.6: 0.8848,
    0.8: 0.8841,
    0.9: 0.8455,
    0.95: 0.8455,
}
_STYLES = {LEARNED: ("o", "-"), GAUSSIAN: ("s", "--"), BLUR: ("^", ":")}


def draw_all(folder: Path, curves: Curves, shown: Sequence[Path], confidence: float) -> list[Path]:
    """Draw every picture into the folder, and return their files. ``shown``: what the sweep kept, by ALPHA."""
    files = [folder / PRIVACY]
    _privacy(files[0], curves, confidence)
    if shown:
        files.append(folder / ATTACK)
        _attack(files[1], shown)
    return files


def _privacy(path: Path, curves: Curves, confidence: float) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11.5, 3.9), layout="constrained")
    likeness, recognised, by_alpha = figure.subplots(1, 3)
    for kind, points in curves.items():
        marker, line = _STYLES[kind]
        style = {"fmt": marker + line, "markersize": 4, "linewidth": 1, "capsize": 2, "elinewidth": 0.7, "label": kind}
        for axes, name in ((likeness, "ssim"), (recognised, "recognised")):
            across = [1 - point.figures[name] for point in points]
            axes.errorbar(
                across,
                [point.figures[AP] for point in points],
                xerr=_around(points, name, confidence),
                yerr=_around(points, AP, confidence),
                **style,
            )
    learned = curves[LEARNED]
    alphas = [point.alpha for point in learned]
    by_alpha.errorbar(
        alphas,
        [point.figures[AP] for point in learned],
        yerr=_around(learned, AP, confidence),
        fmt="o-",
        markersize=4,
        linewidth=1,
        capsize=2,
        label="ours, learned noise",
    )
    by_alpha.plot(*zip(*PUBLISHED.items(), strict=True), "x-", color="grey", linewidth=1, label="published, on FDDB")
    likeness.set_xlabel("privacy: 1 - SSIM of the attacker's faces")
    recognised.set_xlabel("privacy: share of faces not recognised")
    by_alpha.set_xlabel("ALPHA")
    for axes in (likeness, recognised, by_alpha):
        axes.set_ylabel(f"average precision at threshold {THRESHOLD:g}")
        axes.set_ylim(0, 1.02)
        axes.legend(loc="lower left", fontsize=8)
    save(figure, path)


def _around(points: Sequence[Swept], name: str, confidence: float) -> Any:
    edges = np.array([point.interval(name, confidence) for point in points])
    middle = np.array([point.figures[name] for point in points])
    around = np.clip([middle - edges[:, 0], edges[:, 1] - middle], 0, None)
    return around if name == AP else around[::-1]  # privacy is one minus it


def _attack(path: Path, shown: Sequence[Path]) -> None:
    from matplotlib.figure import Figure

    rows: list[tuple[str, Any]] = []
    for file in shown:
        with np.load(file, allow_pickle=False) as kept:
            if not rows:
                rows.append(("picture", kept["pictures"]))
            rows.append((f"ALPHA {file.parent.name}", kept["drawn"]))
    columns = len(rows[0][1])
    figure = Figure(figsize=(1.2 * columns + 0.6, 1.25 * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for row, (name, pictures) in zip(grid, rows, strict=True):
        for axes, pixels in zip(row, pictures, strict=True):
            axes.imshow(np.moveaxis(np.broadcast_to(pixels, (3, *pixels.shape[1:])), 0, 2))
            axes.set_xticks([])
            axes.set_yticks([])
        row[0].set_ylabel(name, fontsize=8)
    save(figure, path)
