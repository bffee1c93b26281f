"""What a judgement looks like: confusions of what is read and heard, the pipeline's metric, and a page of mistakes."""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.calls import scoring
from tasks.calls.sentiment import LABELS
from tasks.common.pictures import save
from tasks.common.result import write_whole

if TYPE_CHECKING:
    from tasks.calls.evaluate import Judged

MOST_SHOWN = 100
STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:24px;color-scheme:light dark}table{border-collapse:collapse}"
    "th,td{text-align:left;vertical-align:top;padding:6px 12px;border-bottom:1px solid #8886}"
)


def draw_all(folder: Path, judged: Mapping[str, Judged], confidence: float) -> list[Path]:
    """Make every picture and page in the folder, and return their files."""
    files = [folder / "pipeline.png"]
    _pipeline(files[0], judged, confidence)
    for name, each in judged.items():
        files += [folder / f"confusion_{name}.png", folder / f"mistakes_{name}.html"]
        _confusions(files[-2], each, name)
        write_whole(files[-1], _page(name, each).encode())
    return files


def _pipeline(path: Path, judged: Mapping[str, Judged], confidence: float) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 1.4 + 0.5 * len(judged)), layout="constrained")
    names = list(judged)
    shown = {
        scoring.PIPELINE: "labelled sentiment against the recognised text's",
        scoring.RECOGNITION: "said against recognised",
    }
    for axes, (figure_name, title) in zip(figure.subplots(1, 2, sharey=True), shown.items(), strict=True):
        for row, name in enumerate(names):
            value = judged[name].scored.figures()[figure_name]
            low, high = scoring.intervals(judged[name].scored, confidence)[figure_name]
            axes.plot([low, high], [row, row], color="tab:blue", linewidth=2)
            axes.plot([value], [row], "o", color="tab:blue")
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_xlim(left=0)
        axes.set_xlabel("mean difference, of at most 2")
        axes.set_title(title, fontsize=9)
    save(figure, path)


def _confusions(path: Path, judged: Judged, name: str) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.2, 3.8), layout="constrained")
    figure.suptitle(name, fontsize=10)
    for axes, counts, title in zip(
        figure.subplots(1, 2),
        (judged.scored.read, judged.scored.heard),
        ("what was said", "what was heard"),
        strict=True,
    ):
        _confusion(axes, counts.sum(0).astype(int), title)
    save(figure, path)


def _confusion(axes: Any, counts: Any, title: str) -> None:
    axes.imshow(counts / counts.sum(axis=1, keepdims=True).clip(1), cmap="Blues", vmin=0, vmax=1)
    for (true, found), count in np.ndenumerate(counts):
        dark = count > counts[true].sum() / 2
        axes.text(found, true, str(count), ha="center", va="center", color="white" if dark else "black")
    axes.set_xticks(range(len(LABELS)), LABELS)
    axes.set_yticks(range(len(LABELS)), LABELS)
    axes.set_xlabel("found")
    axes.set_ylabel("labelled")
    axes.set_title(title, fontsize=10)


def _page(name: str, judged: Judged) -> str:
    wrong = [
        (sentence, answer)
        for sentence, answer in zip(judged.sentences, judged.answers, strict=True)
        if answer.read != answer.true or answer.heard not in (None, answer.true)
    ]
    title = f"{len(wrong)} of {len(judged.answers)} sentences that {html.escape(name)} got wrong"
    rows = ""
    for sentence, answer in wrong[:MOST_SHOWN]:
        heard = "" if answer.heard is None else LABELS[answer.heard]
        cells = [sentence.call, sentence.side, sentence.text, LABELS[answer.true], LABELS[answer.read]]
        cells += [judged.heard.get(sentence, ""), heard]
        rows += "<tr>" + "".join(f"<td>{html.escape(cell)}" for cell in cells)
    rest = f"<p>The first {MOST_SHOWN} are shown.</p>" if len(wrong) > MOST_SHOWN else ""
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
        f"<h1>{title}</h1>{rest}<table><thead><tr><th>call<th>side<th>said<th>labelled<th>found<th>heard<th>found in it"
        f"</thead><tbody>{rows}</tbody></table></html>"
    )
