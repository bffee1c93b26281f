"""The one table of all ways, in words what follows from it, and the page and picture that show it."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tasks.common.pictures import save
from tasks.common.result import write_whole
from tasks.documents.comparison.measured import KNOWN, LATER, Measured

BASE, TUNED, ANSWERS, RETRIEVAL, BOTH = "base", "tuned", "answers", "retrieval", "both"
WAYS = {
    BASE: "base encoder, by meaning",
    TUNED: "tuned encoder, by meaning",
    ANSWERS: "fine-tuned answers, no retrieval",
    RETRIEVAL: "retrieval: words and base encoder",
    BOTH: "both: words and tuned encoder",
}
PAIRS = ((TUNED, BASE), (BOTH, RETRIEVAL), (ANSWERS, RETRIEVAL))
COLUMNS = {
    KNOWN: ("recall at 5, known", ".3f"),
    LATER: ("recall at 5, later", ".3f"),
    "mrr_known": ("MRR, known", ".3f"),
    "mrr_later": ("MRR, later", ".3f"),
    "ready_s": ("ready after (s)", ".1f"),
    "p50_ms": ("question (ms)", ".1f"),
    "p95_ms": ("95 % within (ms)", ".1f"),
    "again_s": ("1 % changed (s)", ".2f"),
    "mb": ("MB", ".1f"),
    "cost_ready": ("cost, ready", ".4g"),
    "cost_1000": ("cost, 1,000 questions", ".4g"),
    "cost_again": ("cost, 1 % changed", ".4g"),
}
NOTES = (
    "Known questions are other wordings of what was learned; later ones are about documents that nothing was learned "
    "of, as those that change after a training.",
    "Ready: tuning and embedding or learning, until the first question. 1 % changed: the documents that changed are "
    "embedded again; fine-tuned answers are learned anew, on the same tuned encoder. MB counts the encoder.",
    "Cost is measured seconds times the price of an hour.",
)
_STYLE = (
    "body{font:15px sans-serif;margin:2em;max-width:85em}td,th{padding:.3em .8em;text-align:left;vertical-align:top}"
    "tr:nth-child(even){background:#8881}img{max-width:100%;background:#fff}"
)


def verdict(gained: Mapping[str, Mapping[str, Mapping[str, float]]]) -> dict[str, str]:
    """Say whether the tuned encoder should serve: where its interval, of later documents too, is above 0.

    In doubt the base encoder does, which has to be tuned for no change.
    """
    told = gained[f"{BOTH}-{RETRIEVAL}"]
    said = ", ".join(f"{side} {_gain(told[side])}" for side in (KNOWN, LATER))
    better = all(told[side]["low"] > 0 for side in (KNOWN, LATER))
    choice = "tune and retrieve" if better else "retrieve"
    what = "finds more beyond the interval" if better else "is not better beyond the interval for both"
    return {"decision": choice, "reason": f"with words, the tuned encoder {what}: MRR of questions {said}"}


def write(folder: Path, measured: Mapping[str, Measured], result: Mapping[str, Any], confidence: float) -> list[Path]:
    """Write table, page and picture, and return their files."""
    picture, text, page = (folder / f"comparison.{suffix}" for suffix in ("png", "md", "html"))
    _draw(picture, measured, confidence)
    write_whole(text, markdown(result).encode())
    write_whole(page, _page(result, picture.read_bytes()).encode())
    return [picture, text, page]


def markdown(result: Mapping[str, Any]) -> str:
    """Return the table with its sentences."""
    head, rows = _table(result)
    lines = [head, ["---"] * len(head), *rows]
    said = [f"- {sentence}" for sentence in _said(result)]
    return "\n".join([*(f"| {' | '.join(row)} |" for row in lines), "", *said]) + "\n"


def _table(result: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    rows = [
        [title, *(format(result["metrics"][name][key], form) for key, (_, form) in COLUMNS.items())]
        for name, title in WAYS.items()
    ]
    return ["way", *(title for title, _ in COLUMNS.values())], rows


def _said(result: Mapping[str, Any]) -> Sequence[str]:
    asked, documents, decision = result["questions"], result["documents"], result["decision"]
    pairs = [
        f"{WAYS[new]} against {WAYS[old]}: MRR "
        + ", ".join(f"{side} {_gain(result['gains'][f'{new}-{old}'][side])}" for side in (KNOWN, LATER))
        for new, old in PAIRS
    ]
    return (
        f"{decision['decision']}: {decision['reason']}.",
        *pairs,
        f"{asked[KNOWN]} questions about the {documents['learned']} documents that were learned, {asked[LATER]} about "
        f"the other {documents['all'] - documents['learned']}; {result['passages']} passages; an hour costs "
        f"{result['price_per_hour']:g}.",
        *NOTES,
    )


def _gain(told: Mapping[str, float]) -> str:
    return f"{told['gain']:+.3f} ({told['low']:+.3f} to {told['high']:+.3f})"


def _page(result: Mapping[str, Any], picture: bytes) -> str:
    head, rows = _table(result)
    top = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    lines = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    said = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in _said(result))
    shown = base64.b64encode(picture).decode()
    title = "Fine-tune, retrieve or both"
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{title}</title><style>{_STYLE}</style>"
        f"<h1>{title}</h1><table><tr>{top}</tr>{lines}</table><ul>{said}</ul>"
        f"<img alt='Quality with intervals, and seconds, of each way' src='data:image/png;base64,{shown}'></html>\n"
    )


def _draw(path: Path, measured: Mapping[str, Measured], confidence: float) -> None:
    """Draw MRR with its interval for both kinds of questions, and the seconds that each way takes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 3.2), layout="constrained")
    quality, seconds = figure.subplots(1, 2, sharey=True)
    for row, one in enumerate(measured.values()):
        for side, color, shift in ((KNOWN, "tab:blue", -0.12), (LATER, "tab:orange", 0.12)):
            low, high = one.interval("mrr", side, confidence)
            quality.plot([low, high], [row + shift] * 2, color=color, linewidth=2)
            value = one.found["mrr"][one.sides[side]].mean()
            quality.plot([value], [row + shift], "o", color=color, label=None if row else f"{side} documents")
        for value, color, what in ((one.ready_s, "tab:grey", "ready"), (one.again_s, "tab:green", "1 % changed")):
            seconds.plot([max(value, 1e-3)], [row], "s", color=color, label=None if row else what)
    quality.set_yticks(range(len(measured)), [WAYS[name] for name in measured], fontsize=8)
    quality.set_ylim(len(measured) - 0.5, -0.5)
    quality.set_xlim(-0.02, 1.02)
    quality.set_xlabel("mean reciprocal rank")
    seconds.set_xscale("log")
    seconds.set_xlabel("seconds")
    for axes in (quality, seconds):
        axes.legend(fontsize=8)
    save(figure, path)
