"""Put engines side by side: a page with tables and pictures, from what their trainings reported.

    python -m tasks.ctr.compare --output /tmp/comparison /tmp/pandas /tmp/dask
    python -m tasks.ctr.compare --output /tmp/comparison walkthrough=/tmp/pandas dask=/tmp/dask/report.json

Only trainings of the same rows with the same settings are compared. The output folder gets ``comparison.html``, which
stands alone, ``comparison.md`` with the table, ``comparison.png``, ``calibration.png`` and ``comparison.json``. The
result names the ``best`` model, by AUC, and the ``fastest``. Where ``--truth`` has what is known of the last day,
because it was generated, the page says what no model can beat.
"""

from __future__ import annotations

import argparse
import base64
import html
import json
import os
from pathlib import Path
from typing import Any

from tasks.common import program
from tasks.common.cli import Flags, mlflow_run
from tasks.common.model_folder import BEST
from tasks.common.program import BadInput, stop_deferred
from tasks.common.progress import say
from tasks.common.result import write_whole
from tasks.common.run_file import RUN_FOLDER, RunFile
from tasks.ctr.pictures import draw_comparison, draw_reports
from tasks.ctr.train import REPORT

BASELINE = "pandas"
PAGE, TABLE, PICTURE, CALIBRATION, FIGURES = (
    "comparison.html",
    "comparison.md",
    "comparison.png",
    "calibration.png",
    "comparison.json",
)
_SAME = ("rows", "test_rows")
_HEAD = ("engine", "rows", "load s", "train s", "file to model s", "ratio", "rows/s", "peak GiB")
_QUALITY = ("accuracy", "AUC", "log loss", "calibration error")


def main() -> dict[str, Any]:
    arguments = _options()
    reports = _read(arguments.reports)
    output = Path(arguments.output)
    with mlflow_run(arguments, "comparison") as run:
        rows = _rows(reports)
        limit = _limit(arguments.truth, reports)
        with stop_deferred():
            _write(output, reports, rows, limit)
        for name in (PAGE, TABLE, PICTURE, CALIBRATION, FIGURES):
            run.artifact(output / name, "comparison")
        for row in rows:
            numbers = {key: value for key, value in row.items() if isinstance(value, int | float)}
            run.metrics({f"{row['engine']}.{key}": value for key, value in numbers.items()})
        say((output / TABLE).read_text().rstrip())
        best = max(rows, key=lambda row: row["auc"])["engine"]
        found = {key: reports[best][key] for key in ("output", "mlflow_run_id") if key in reports[best]}
        if arguments.run_folder:
            folder = Path(os.path.relpath(reports[best]["output"], arguments.run_folder)).as_posix()
            write_whole(Path(arguments.run_folder, BEST), json.dumps({"folder": folder}).encode())
        return {
            "best": {"engine": best, **found},
            "fastest": min(rows, key=lambda row: row["seconds"])["engine"],
            "accuracy_spread": max(r["accuracy"] for r in rows) - min(r["accuracy"] for r in rows),
            "engines": rows,
            "best_possible": limit,
            "output": str(output),
            **run.identity,
        }


def _options() -> argparse.Namespace:
    flags = Flags(__doc__)
    flags.add_argument(
        "reports",
        nargs="+",
        metavar="[NAME=]PATH",
        help="folder a training left, or its report.json; by default those of the run's engines",
        from_run=_trained,
    )
    flags.output("folder for the page", from_run=lambda run: run.inside("workspace", RUN_FOLDER, "comparison"))
    flags.add_argument(
        "--truth",
        default="",
        help="folder that tasks.ctr.generate left beside the days",
        from_run=lambda run: run.inside("workspace", "data", "truth"),
    )
    flags.add_argument(
        "--run-folder",
        help=f"where {BEST} is to name the best one's folder",
        from_run=lambda run: run.run_folder,
    )
    flags.tracking()
    return flags.parse()


def _trained(run: RunFile) -> list[str] | None:
    engines = run.parameters.get("engines") or []
    return [f"{run.run_folder}/{engine}" for engine in engines] if run.run_folder and engines else None


def _read(given: list[str]) -> dict[str, dict[str, Any]]:
    """Reports by name. Raises BadInput where they are not of the same rows and settings."""
    reports: dict[str, dict[str, Any]] = {}
    for text in given:
        name, _equals, path = text.partition("=") if "=" in text.split("/", 1)[0] else ("", "", text)
        file = Path(path) if path.endswith(".json") else Path(path) / REPORT
        try:
            report = json.loads(file.read_text())
        except FileNotFoundError:
            raise BadInput(f"{file} does not exist; name the output folder of a finished training.") from None
        name = name or report["engine"]
        if name in reports:
            raise BadInput(f"Two reports are called {name}; name them as one=PATH other=PATH.")
        reports[name] = report | {"output": str(file.parent)}
    first, *others = reports
    for name in others:
        if _compared(reports[name]) != _compared(reports[first]):
            raise BadInput(f"{name} was trained on other rows or with other settings than {first}: train both alike.")
    return reports


def _compared(report: dict[str, Any]) -> dict[str, Any]:
    """What must be the same; the number of nodes is a result."""
    settings = {name: value for name, value in report["forest"].items() if name != "nodes"}
    return {**{name: report[name] for name in _SAME}, "data": report["data"]["listing"], "forest": settings}


def _rows(reports: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """One per engine; ``ratio`` is how many times as fast as the baseline, or as the first."""
    names = [name for name, report in reports.items() if report["engine"] == BASELINE]
    baseline = reports[names[0] if names else next(iter(reports))]["seconds"]["to_model"]
    rows = []
    for name, report in reports.items():
        metrics, seconds = report["metrics"], report["seconds"]
        rows.append(
            {
                "engine": name,
                "rows": report["rows"],
                "load_s": seconds["load"],
                "train_s": seconds["train"],
                "seconds": seconds["to_model"],
                "ratio": round(baseline / seconds["to_model"], 2),
                "rows_per_s": report["rows_per_s"],
                "peak_gib": round(report["memory"]["peak"] / 2**30, 3),
                **{key: round(metrics[key], 5) for key in ("accuracy", "auc", "log_loss", "calibration_error")},
            }
        )
    return rows


def _limit(truth: str, reports: dict[str, dict[str, Any]]) -> dict[str, float] | None:
    """What the best possible model achieves on the last day with the columns that are trained on; None for data of
    which that is not known."""
    file = Path(truth) / f"{next(iter(reports.values()))['data']['last_day']}.json"
    return json.loads(file.read_text())["truth"]["numeric_columns"] if truth and file.is_file() else None


def _said(limit: dict[str, float] | None) -> str:
    if limit is None:
        return ""
    figures = f"accuracy {limit['accuracy']:.4f}, AUC {limit['auc']:.4f}, log loss {limit['log_loss']:.4f}"
    return f"The data is generated: on its last day no model of these columns can do better than {figures}."


def _write(
    output: Path, reports: dict[str, dict[str, Any]], rows: list[dict[str, Any]], limit: dict[str, float] | None
) -> None:
    draw_comparison(output / PICTURE, reports)
    draw_reports(output / CALIBRATION, reports)
    write_whole(output / TABLE, "\n".join(filter(None, [_markdown(rows), _said(limit)])).encode())
    write_whole(output / FIGURES, json.dumps({"engines": rows, "reports": reports}, indent=1).encode())
    pictures = {
        "Seconds from file to model, and peak memory, by engine": (output / PICTURE).read_bytes(),
        "Predicted against actual share of clicks, by engine": (output / CALIBRATION).read_bytes(),
    }
    write_whole(output / PAGE, _page(reports, rows, _said(limit), pictures).encode())


def _cells(row: dict[str, Any]) -> list[str]:
    speed = [f"{row['load_s']:.1f}", f"{row['train_s']:.1f}", f"{row['seconds']:.1f}", f"{row['ratio']:.2f}"]
    quality = [f"{row[name]:.4f}" for name in ("accuracy", "auc", "log_loss", "calibration_error")]
    return [row["engine"], f"{row['rows']:,}", *speed, f"{row['rows_per_s']:,.0f}", f"{row['peak_gib']:.2f}", *quality]


def _markdown(rows: list[dict[str, Any]]) -> str:
    head = [*_HEAD, *_QUALITY]
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *map(_cells, rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _page(
    reports: dict[str, dict[str, Any]], rows: list[dict[str, Any]], limit: str, pictures: dict[str, bytes]
) -> str:
    first = next(iter(reports.values()))
    forest, data = first["forest"], first["data"]
    days = data["first_day"] + (f" to {data['last_day']}" if data["days"] > 1 else "")
    said = (
        f"{first['rows']:,} rows of {days} to train on, {first['test_rows']:,} others to judge by. "
        f"{forest['trees']} trees, depth {forest['depth']}, {forest['bins']} bins, seed {forest['seed']}. "
        f"Measured on {first['machine']['cpus']} {first['machine']['processor']} cores; ratio: times as fast from "
        f"file to model."
    )
    malformed = ", ".join(f"{name}: {report['malformed']}" for name, report in reports.items())
    shown = {what: base64.b64encode(picture).decode() for what, picture in pictures.items()}
    table = "".join(_line("td", _cells(row)) for row in rows)
    images = "".join(
        f'<p><img alt="{what}" src="data:image/png;base64,{picture}"></p>' for what, picture in shown.items()
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Click-through rate: engines compared</title>'
        f"<style>{_STYLE}</style><h1>Click-through rate: engines compared</h1><p>{html.escape(said)}</p>"
        f"<table>{_line('th', [*_HEAD, *_QUALITY])}{table}</table>"
        f"<p>{html.escape(limit)}</p><p>Malformed rows left out: {html.escape(malformed)}.</p>{images}</html>"
    )


_STYLE = (
    "body{font:15px system-ui,sans-serif;margin:2em auto;max-width:70em;padding:0 1em}"
    "table{border-collapse:collapse;font-size:13px}"
    "td,th{padding:.3em .5em;border-bottom:1px solid #ccc;text-align:right}"
    "td:first-child,th:first-child{text-align:left}img{max-width:100%}"
)


def _line(kind: str, cells: list[str]) -> str:
    return "<tr>" + "".join(f"<{kind}>{html.escape(cell)}</{kind}>" for cell in cells) + "</tr>"


if __name__ == "__main__":
    program.run(main)
