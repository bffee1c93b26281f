"""Click-through rate: generated clicks, one forest on several engines, and the table that compares them."""

from __future__ import annotations

import argparse
import textwrap
from typing import TYPE_CHECKING, Any

import httpx

from ontap_mlops.hooks import mlflow_pages
from scripts import lake
from scripts.systems import text
from scripts.systems.system import System

if TYPE_CHECKING:
    from scripts.pipeline import Demo
    from scripts.services import Stack

URL = f"s3://{lake.BUCKET}/ctr/"
ROWS, FIRST_DAYS = 500_000, 2
BEYOND = "no model of these columns can beat (the clicks are generated)"
COLUMNS = (
    ("rows", "{:,}"),
    ("load_s", "{:.1f}"),
    ("train_s", "{:.1f}"),
    ("seconds", "{:.1f}"),
    ("ratio", "{:.2f}"),
    ("rows_per_s", "{:,.0f}"),
    ("peak_gib", "{:.2f}"),
    ("accuracy", "{:.4f}"),
    ("auc", "{:.4f}"),
)


def comparison(stack: Stack, facts: dict[str, Any]) -> str:
    """Return the page that the last demo has left in MLflow, as HTML."""
    of_run, _, path = facts["links"]["comparison"].partition("?")[0].partition("/artifacts/")
    wanted = {"path": path, "run_uuid": of_run.rpartition("/")[2]}
    return httpx.get(f"{stack.urls['mlflow']}/get-artifact", params=wanted, trust_env=False).raise_for_status().text


class ClickThrough(System):
    name = "ctr"
    number = 2
    dataset = "ctr_days"
    train_dag = "click_through"
    steps = "clone, convert, train on each engine, compare, deploy the best, score"
    first = ("ontap", "lake", "airflow")  # no model is served online, so nothing need wait for Triton
    pages = {"comparison": comparison}

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--rows", type=int, default=ROWS, help=f"of each day that is made (default: {ROWS:,})")

    def fill_lake(self, stack: Stack, day: int, options: argparse.Namespace) -> dict[str, Any]:
        """Two days at first, then the next one: days that are there stay as they are."""
        lake.bucket(stack)
        first, days = (0, FIRST_DAYS) if day == 1 else (FIRST_DAYS + day - 2, 1)
        chosen = [f"--first-day={first}", f"--days={days}", f"--rows={options.rows}"]
        return lake.run_program(stack, "tasks.ctr.generate", f"--output={URL}", *chosen)

    def facts(self, demo: Demo) -> dict[str, Any]:
        compared = demo.xcom("compare")
        return {
            "best_possible": compared["best_possible"],
            "links": {"comparison": mlflow_pages.artifact_page(compared["mlflow_url"], "comparison/comparison.html")},
        }

    def text(self, facts: dict[str, Any]) -> str:
        of, scores, limit = facts["dataset_version"], facts["scores"], facts["best_possible"]
        rows = [
            f"  {row['engine']:<8}" + "".join(f"{form.format(row[name]):>12}" for name, form in COLUMNS)
            for row in facts["engines"]
        ]
        table = [
            "The same forest on the same rows (ratio: times as fast as pandas from file to model)",
            f"  {'engine':<8}" + "".join(f"{name:>12}" for name, _ in COLUMNS),
            *rows,
            *([f"  {BEYOND:<92}{limit['accuracy']:>12.4f}{limit['auc']:>12.4f}"] if limit else []),
        ]
        outcome = [
            *textwrap.wrap(f"Best: {facts['best']['engine']}. {text.decision(facts)}", text.WIDTH),
            f"Scored {scores['rows']:,} rows; frozen as snapshot {facts['frozen']['name']}",
            *text.links(facts),
        ]
        data = [f"Dataset version {of['id']}: {of['files']} files, {of['bytes'] / 1e6:.0f} MB"]
        return text.joined(data, table, outcome)


SYSTEM = ClickThrough()
