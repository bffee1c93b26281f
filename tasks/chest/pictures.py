"""What a judgement looks like: areas with their intervals, ROC curves, and the worst mistakes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tasks.chest import scoring
from tasks.chest.dataset import XRays, truth
from tasks.chest.findings import FINDINGS
from tasks.common.metrics import Ranking
from tasks.common.pictures import save
from tasks.common.sheet import draw_mistakes

if TYPE_CHECKING:
    from tasks.chest.evaluate import Judged

AREAS, CURVES = "auroc.png", "roc.png"


def draw_all(folder: Path, judged: Mapping[str, Judged], xrays: XRays) -> list[Path]:
    """Draw every picture into the folder, and return their files."""
    first = next(iter(judged.values()))
    files = [folder / AREAS, folder / CURVES]
    _areas(files[0], judged)
    _curves(files[1], first)
    for name, each in judged.items():
        files.append(folder / f"mistakes_{name}.png")
        draw_mistakes(files[-1], _mistakes(each))
    return files


def _areas(path: Path, judged: Mapping[str, Judged]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 5.2), layout="constrained")
    axes = figure.add_subplot()
    shown = [*(scoring.name_of(name) for name in reversed(FINDINGS)), scoring.MEAN]
    for number, (model, each) in enumerate(judged.items()):
        scored = each.scored
        rows = [(place, name) for place, name in enumerate(shown) if name in scored.areas]
        areas = np.array([scored.areas[name] for _, name in rows])
        low = areas - [scored.low[name] for _, name in rows]
        high = [scored.high[name] for _, name in rows] - areas
        places = np.array([place for place, _ in rows]) + 0.22 * number
        around = np.clip([low, high], 0, None)
        axes.errorbar(areas, places, xerr=around, fmt="o", markersize=4, capsize=2, linewidth=1, label=model)
    axes.set_yticks(range(len(shown)), [name.removeprefix("auroc_").replace("_", " ") for name in shown])
    axes.axvline(0.5, color="grey", linestyle=":", linewidth=1)
    axes.set_xlabel("area under the ROC curve, with its interval over patients")
    axes.legend(loc="lower left", fontsize=8)
    save(figure, path)


def _curves(path: Path, judged: Judged) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 5.2), layout="constrained")
    axes = figure.add_subplot()
    shown = truth(judged.examples).astype(bool)
    for place in scoring.known(shown):
        ranking = Ranking.of(judged.logits[:, place], shown[:, place])
        label = f"{FINDINGS[place].replace('_', ' ')} ({ranking.roc_auc():.3f})"
        axes.plot(
            *ranking.curve(), linewidth=1, label=label, color=f"C{place % 10}", linestyle="-" if place < 10 else "--"
        )
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":", linewidth=1)
    axes.set_xlabel("share of pictures without the finding that are called")
    axes.set_ylabel("share of pictures with it that are found")
    axes.legend(loc="lower right", fontsize=7)
    save(figure, path)


def _mistakes(judged: Judged) -> list[tuple[np.ndarray, tuple[str, str]]]:
    """The most confident first, with what is so and what was said; of pictures that were kept in memory."""
    shown = truth(judged.examples).astype(bool)
    chances = 1 / (1 + np.exp(-np.clip(judged.logits, -50, 50)))
    wrong = np.where(shown, 1 - chances, chances)
    found = []
    for row in np.argsort(-wrong.max(axis=1), kind="stable"):
        example, place = judged.examples[row], int(wrong[row].argmax())
        if wrong[row, place] > 0.5 and example.pixels is not None:
            named = FINDINGS[place].replace("_", " ")
            said = (
                f"{named} there, {chances[row, place]:.0%}"
                if shown[row, place]
                else f"no {named}, {chances[row, place]:.0%}"
            )
            found.append((example.pixels, (example.key.rpartition("/")[2], said)))
    return found
