"""The comparison of engines as pictures, a table and a page that stands alone."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

from tasks.common.result import write_whole
from tasks.ctr.pictures import draw_comparison, draw_reports

PAGE, TABLE, PICTURE, CALIBRATION, FIGURES = (
    "comparison.html",
    "comparison.md",
    "comparison.png",
    "calibration.png",
    "comparison.json",
)
FILES = (PAGE, TABLE, PICTURE, CALIBRATION, FIGURES)
_TEMPLATE = Path(__file__).with_name("comparison.html")
_HEAD = (
    *("engine", "rows", "load s", "train s", "file to model s", "ratio", "rows/s", "peak GiB"),
    *("accuracy", "AUC", "log loss", "calibration error"),
)
_QUALITY = ("accuracy", "auc", "log_loss", "calibration_error")
Row = Mapping[str, Any]
Reports = Mapping[str, Mapping[str, Any]]


def write_page(output: Path, reports: Reports, rows: Sequence[Row], limit: Mapping[str, float] | None) -> None:
    """Write FILES. ``limit`` is what no model can beat, where that is known."""
    draw_comparison(output / PICTURE, reports)
    draw_reports(output / CALIBRATION, reports)
    best_possible = _best_possible(limit)
    write_whole(output / TABLE, "\n".join(filter(None, [_markdown(rows), best_possible])).encode())
    write_whole(output / FIGURES, json.dumps({"engines": rows, "reports": reports}, indent=1).encode())
    pictures = {
        "Seconds from file to model, and peak memory, by engine": output / PICTURE,
        "Predicted against actual share of clicks, by engine": output / CALIBRATION,
    }
    malformed = ", ".join(f"{name}: {report['malformed']}" for name, report in reports.items())
    values = {
        "measured": html.escape(_measured(next(iter(reports.values())))),
        "head": _cells("th", _HEAD),
        "rows": "\n".join(f"<tr>{_cells('td', _texts(row))}</tr>" for row in rows),
        "limit": html.escape(best_possible),
        "malformed": html.escape(malformed),
        "pictures": "\n".join(_image(what, file) for what, file in pictures.items()),
    }
    write_whole(output / PAGE, Template(_TEMPLATE.read_text()).substitute(values).encode())


def _best_possible(limit: Mapping[str, float] | None) -> str:
    if limit is None:
        return ""
    figures = f"accuracy {limit['accuracy']:.4f}, AUC {limit['auc']:.4f}, log loss {limit['log_loss']:.4f}"
    return f"The data is generated: on its last day no model of these columns can do better than {figures}."


def _measured(report: Mapping[str, Any]) -> str:
    forest, data, machine = report["forest"], report["data"], report["machine"]
    days = data["first_day"] + (f" to {data['last_day']}" if data["days"] > 1 else "")
    return (
        f"{report['rows']:,} rows of {days} to train on, {report['test_rows']:,} others to judge by. "
        f"{forest['trees']} trees, depth {forest['depth']}, {forest['bins']} bins, seed {forest['seed']}. "
        f"Measured on {machine['cpus']} {machine['processor']} cores; ratio: times as fast from file to model."
    )


def _texts(row: Row) -> list[str]:
    speed = [f"{row['load_s']:.1f}", f"{row['train_s']:.1f}", f"{row['seconds']:.1f}", f"{row['ratio']:.2f}"]
    quality = [f"{row[name]:.4f}" for name in _QUALITY]
    return [row["engine"], f"{row['rows']:,}", *speed, f"{row['rows_per_s']:,.0f}", f"{row['peak_gib']:.2f}", *quality]


def _markdown(rows: Sequence[Row]) -> str:
    lines = [list(_HEAD), ["---", *["---:"] * (len(_HEAD) - 1)], *map(_texts, rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cells(kind: str, texts: Sequence[str]) -> str:
    return "".join(f"<{kind}>{html.escape(text)}</{kind}>" for text in texts)


def _image(what: str, file: Path) -> str:
    content = base64.b64encode(file.read_bytes()).decode()
    return f'<p><img alt="{html.escape(what)}" src="data:image/png;base64,{content}"></p>'
