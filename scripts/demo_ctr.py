"""One forest on several engines through the real scheduler, on generated clicks, and the table that compares them.

    python -m scripts.demo_ctr                  two days of 500,000 rows; from the second time on, a day more each time
    python -m scripts.demo_ctr --rows 4000000   of each new day

Ends with exit code 0 only when a model is deployed for batch scoring and every row is scored. The facts are written to
demo-ctr.json.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from typing import Any

from scripts import lake
from scripts.pipeline import Pipeline, outcome
from scripts.services import Stack, shown
from scripts.summary import DECISIONS

INGEST, TRAIN = "ingest_ctr_days", "click_through"
URL = f"s3://{lake.BUCKET}/ctr/"
ROWS, FIRST_DAYS = 500_000, 2
FIRST = ("ontap", "lake", "airflow")  # no model is served on line, so that nothing need wait for Triton
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


class Demo(Pipeline):
    ingest_dag, train_dag = INGEST, TRAIN

    def __init__(self, stack: Stack, rows: int) -> None:
        super().__init__(stack, stack.layout.local / "demo-ctr.json")
        self.rows = rows

    def run(self) -> dict[str, Any]:
        self.start_services(self.fill_lake, FIRST)
        self.provision()
        ingest_run = self.ingest()
        train_run = self.train(ingest_run, "clone, convert, train on each engine, compare, deploy the best, score")
        facts = self.facts(ingest_run, train_run)
        self.keep(facts)
        return facts

    def fill_lake(self) -> dict[str, Any]:
        """Two days at first, then the next one: days that are there stay as they are."""
        lake.bucket(self.stack)
        first, days = (0, FIRST_DAYS) if self.number == 1 else (FIRST_DAYS + self.number - 2, 1)
        options = [f"--first-day={first}", f"--days={days}", f"--rows={self.rows}"]
        return lake.run_program(self.stack, "tasks.ctr.generate", f"--output={URL}", *options)

    def facts(self, ingest_run: str, train_run: str) -> dict[str, Any]:
        comparison = self.api.xcom(TRAIN, train_run, "compare")
        return {
            "demo": self.number,
            "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": self.timing,
            **self.api.xcom(TRAIN, train_run, "summary"),
            "best_possible": comparison["best_possible"],
            "runs": {INGEST: ingest_run, TRAIN: train_run},
            "links": {
                "airflow_run": self.api.run_link(TRAIN, train_run),
                "comparison": f"{comparison['mlflow_url']}/artifacts/comparison/comparison.html",
            },
            "password_file": shown(self.stack.password_file),
        }


def text(facts: dict[str, Any]) -> str:
    """The table and what came of it, as plain lines."""
    version, scores, links = facts["dataset_version"], facts["scores"], facts["links"]
    limit, decision = facts["best_possible"], facts["decision"]
    head = f"  {'engine':<8}" + "".join(f"{name:>12}" for name, _ in COLUMNS)
    rows = [
        f"  {row['engine']:<8}" + "".join(f"{form.format(row[name]):>12}" for name, form in COLUMNS)
        for row in facts["engines"]
    ]
    return "\n".join(
        [
            f"Dataset version {version['id']}: {version['files']} files, {version['bytes'] / 1e6:.0f} MB",
            "",
            "The same forest on the same rows (ratio: times as fast as pandas from file to model)",
            head,
            *rows,
            *([f"  {BEYOND:<92}{limit['accuracy']:>12.4f}{limit['auc']:>12.4f}"] if limit else []),
            "",
            f"Best: {facts['best']['engine']}. {DECISIONS[decision['decision']]}: {decision['reason']}",
            f"Scored {scores['rows']:,} rows; frozen as snapshot {facts['frozen']['name']}",
            f"  Airflow run   {links['airflow_run']}",
            f"  Comparison    {links['comparison']}",
            f"  Airflow's user is admin; the password is in {facts['password_file']}",
        ]
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=ROWS, help="of each day that is made")
    parser.add_argument("--local", help="folder of the services (default: .local)")
    options = parser.parse_args()
    return outcome(Demo(Stack(options.local), options.rows), text)


if __name__ == "__main__":
    sys.exit(main())
