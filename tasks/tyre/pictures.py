"""Pictures of a judgement, as PNG files."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tasks.common.result import write_whole
from tasks.tyre.dataset import Pixels
from tasks.tyre.metrics import Floats, Integers, Judgement, roc_curve

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHEET_COLUMNS, SHEET_ROWS, THUMB = 6, 3, 160  # of the sheet of mistakes; a picture's side in pixels


def draw_confusion(path: Path, judgement: Judgement, classes: Sequence[str], title: str) -> None:
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
    _save(figure, path)


def draw_roc(path: Path, curves: dict[str, tuple[Floats, Judgement]], positives: Integers) -> None:
    """One line per model: ``curves`` has each one's probability of the positive class [N] and its judgement."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for name, (scores, judgement) in curves.items():
        axes.plot(*roc_curve(scores, positives.astype(bool)), label=f"{name} (area {judgement.roc_auc:.3f})")
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":", linewidth=1)
    axes.set_xlabel("good tyres called defective")
    axes.set_ylabel("defective tyres found")
    axes.legend(loc="lower right", fontsize=8)
    _save(figure, path)


def draw_mistakes(path: Path, mistakes: Sequence[tuple[Pixels, str]]) -> None:
    """The first few wrongly judged images with a line of text under each."""
    shown = list(mistakes[: SHEET_COLUMNS * SHEET_ROWS])
    rows = max(1, -(-len(shown) // SHEET_COLUMNS))
    sheet = Image.new("RGB", (SHEET_COLUMNS * THUMB, rows * (THUMB + 16)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    for place, (pixels, text) in enumerate(shown):
        x, y = place % SHEET_COLUMNS * THUMB, place // SHEET_COLUMNS * (THUMB + 16)
        sheet.paste(Image.fromarray(pixels).resize((THUMB - 4, THUMB - 4)), (x + 2, y))
        pen.text((x + 4, y + THUMB - 3), text, fill="black", font=font)
    if not shown:
        pen.text((4, 4), "no mistakes", fill="black", font=font)
    file = io.BytesIO()
    sheet.save(file, "PNG")
    write_whole(path, file.getvalue())


def _save(figure: Figure, path: Path) -> None:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=110)
    write_whole(path, file.getvalue())
