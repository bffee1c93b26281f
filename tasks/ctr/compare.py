"""Put engines side by side: a page with tables and pictures, from what their trainings reported.

    python -m tasks.ctr.compare --output /tmp/comparison /tmp/pandas /tmp/dask
    python -m tasks.ctr.compare --output /tmp/comparison walkthrough=/tmp/pandas dask=/tmp/dask/report.json

Only trainings of the same rows with the same settings are compared. The output folder gets ``comparison.html``, which
stands alone, ``comparison.md`` with the table, ``comparison.png``, ``calibration.png`` and ``comparison.json``. The
result names the ``best`` model, by AUC, and the ``fastest``; in a run, ``best.json`` in its folder names the best, too.
Where ``--truth`` has what is known of the last day, because it was generated, the page says what no model can beat.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from tasks.common import program
from tasks.common.cli import Flags, mlflow_run
from tasks.common.model_folder import BEST, write_best
from tasks.common.program import BadInput, stop_deferred
from tasks.common.progress import say
from tasks.common.run_file import RUN_FOLDER, RunFile
from tasks.ctr.comparison import FILES, TABLE, write_page
from tasks.ctr.train import REPORT

BASELINE = "pandas"
_SAME = ("rows", "test_rows")


def main() -> dict[str, Any]:
    arguments = _options()
    reports = _read(arguments.reports)
    output = Path(arguments.output)
    with mlflow_run(arguments, "comparison") as run:
        rows = _rows(reports)
        limit = _limit(arguments.truth, reports)
        with stop_deferred():
            write_page(output, reports, rows, limit)
        for name in FILES:
            run.artifact(output / name, "comparison")
        for row in rows:
            numbers = {key: value for key, value in row.items() if isinstance(value, int | float)}
            run.metrics({f"{row['engine']}.{key}": value for key, value in numbers.items()})
        say((output / TABLE).read_text().rstrip())
        best = best_of(reports)
        if arguments.run_folder:
            write_best(Path(arguments.run_folder), Path(best["output"]))
        return {
            "best": best,
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
    """Return reports by name. Raises BadInput where they are not of the same rows and settings."""
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
    """Return what must be the same; the number of nodes is a result."""
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


def best_of(reports: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the engine with the highest AUC, and where its model is.

    It is chosen by the same rows that its figures are of, which makes it the luckiest of a few; the engines grow nearly
    the same forest, and over a million rows luck is less than the last digit shown.
    """
    name = max(reports, key=lambda engine: reports[engine]["metrics"]["auc"])
    return {"engine": name, **{key: reports[name][key] for key in ("output", "mlflow_run_id") if key in reports[name]}}


def _limit(truth: str, reports: dict[str, dict[str, Any]]) -> dict[str, float] | None:
    """Return what the best possible model achieves on the last day with the columns trained on; None if not known."""
    file = Path(truth) / f"{next(iter(reports.values()))['data']['last_day']}.json"
    return json.loads(file.read_text())["truth"]["numeric_columns"] if truth and file.is_file() else None


if __name__ == "__main__":
    program.run(main)
