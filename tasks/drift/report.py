"""The page that shows what was compared and what was found, with its picture within: it can be sent on as one file."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence

from tasks.drift.sample import Pair
from tasks.drift.statistics import Interval
from tasks.drift.verdict import Limits, Verdict

Table = tuple[Sequence[str], Sequence[Sequence[str]]]
_STYLE = (
    "body{font:15px sans-serif;margin:2em;max-width:75em}td,th{padding:.3em .8em;text-align:left;vertical-align:top}"
    "tr:nth-child(even){background:#8881}img{max-width:100%;background:#fff}.alarm{color:#b02a1e}"
    "@media(prefers-color-scheme:dark){body{background:#111;color:#eee}.alarm{color:#ff8a7a}}"
)


def page(compared: Mapping[str, str], pair: Pair, verdict: Verdict, limits: Limits, picture: bytes) -> str:
    """``compared`` says what was compared, by words: versions, model, rows."""
    shown = base64.b64encode(picture).decode()
    of = compared["System"]
    alarm, look = ("Alarm", "alarm") if verdict.alarm else ("No alarm", "calm")
    body = [
        f"<h1>Drift of {html.escape(of)}</h1>",
        f"<p class='{look}'><strong>{alarm}.</strong> {html.escape(verdict.reason)}</p>",
        _table((("compared", ""), list(compared.items()))),
        f"<h2>Distributions</h2><img alt='Distributions then and now' src='data:image/png;base64,{shown}'>",
    ]
    for title, table in _tables(pair, verdict, limits):
        body.append(f"<h2>{html.escape(title)}</h2>{_table(table)}")
    said = [*verdict.not_judged, *_notes(pair, limits)]
    body.append("<ul>" + "".join(f"<li>{html.escape(note)}</li>" for note in said) + "</ul>")
    head = f"<meta charset='utf-8'><title>Drift of {html.escape(of)}</title><style>{_STYLE}</style>"
    return f"<!doctype html><html lang='en'>{head}{''.join(body)}</html>\n"


def _tables(pair: Pair, verdict: Verdict, limits: Limits) -> list[tuple[str, Table]]:
    told: list[tuple[str, Table]] = []
    tested = [*verdict.columns, *([verdict.confidence] if verdict.confidence else [])]
    rows = [
        [c.name, f"{c.before:.4g}", f"{c.after:.4g}", f"{c.distance:.3f}", f"{c.p:.2g}", "changed" if c.drifted else ""]
        for c in tested
    ]
    told.append(("Columns", (["column", "mean then", "mean now", "distance", "p, corrected", ""], rows)))
    if verdict.separation:
        enough = "changed" if verdict.separation.low >= limits.separation else ""
        row = ["ROC AUC of telling new rows from old ones", _shown(verdict.separation), enough]
        told.append(("Embedding", (["figure", "with its interval", ""], [row])))
    if verdict.concept:
        found = verdict.concept
        rows = [
            [f"{pair.figure} then", f"{found.before:.4f}", f"{found.rows_before:,} rows that training held out"],
            [f"{pair.figure} now", f"{found.after:.4f}", f"{found.rows_after:,} new labelled rows"],
            ["expected of the new rows", f"{found.expected:.4f}", f"by the {pair.chance} of each"],
            ["better by, in all", _shown(found.change), ""],
            ["better by than expected", _shown(found.unexplained), "below 0: the relation has changed"],
        ]
        told.append(("The champion on labelled rows", (["", "", ""], rows)))
    return told


def _notes(pair: Pair, limits: Limits) -> list[str]:
    notes = [
        f"A column is changed where its corrected p-value is below {limits.alpha:g} and its distance (Kolmogorov and "
        f"Smirnov) is at least {limits.effect:g}; an embedding where the interval's lower end is at least "
        f"{limits.separation:g}.",
        f"Concept drift is a champion whose {pair.figure} is worse than expected by more than {limits.worse_by:g}, "
        f"with the whole interval of {1 - limits.alpha:.1%}.",
    ]
    if pair.left_out:
        notes.append(f"{len(pair.left_out)} files cannot be read and were left out, such as {pair.left_out[0]}.")
    return notes


def _shown(interval: Interval) -> str:
    return f"{interval.value:+.4f}, from {interval.low:+.4f} to {interval.high:+.4f}"


def _table(table: Table) -> str:
    head, rows = table
    top = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    lines = ["".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in rows]
    return f"<table><tr>{top}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"
