"""Chest X-rays: drawn, or a user's own in NIH's layout, trained on twice: once to fill the cache, once out of it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ontap_mlops.hooks import mlflow_pages
from scripts import lake
from scripts.follow import follow
from scripts.systems import text
from scripts.systems.system import System
from scripts.systems.tyre import deployed_model

if TYPE_CHECKING:
    from scripts.pipeline import Demo
    from scripts.services import Stack

URL = f"s3://{lake.BUCKET}/chest/"
COUNT = 800
# The second run is there for what it reads, and its model need not be a good one.
AGAIN = {"epochs": 1, "promote": "never"}


class Chest(System):
    name = "chest"
    number = 4
    dataset = "chest_xray"
    train_dag = "chest_xray"
    model = "chest_xray"
    steps = "clone, cache at the site, train, judge each finding, deploy, prove"
    metrics = ("mean_auroc",)

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--images", type=Path, help="folder in NIH's layout, instead of drawn pictures")
        parser.add_argument("--count", type=int, default=COUNT, help=f"pictures of the first day (default: {COUNT})")

    def check(self, options: argparse.Namespace) -> None:
        if options.images and not list(options.images.glob("Data_Entry*.csv")):
            raise SystemExit(f"IMAGES={options.images} holds no Data_Entry_2017.csv; it must be in NIH's layout.")

    def fill_lake(self, stack: Stack, day: int, options: argparse.Namespace) -> dict[str, Any]:
        lake.bucket(stack)
        if options.images:
            return lake.run_program(
                stack, "tasks.data.sync", f"--source={options.images.resolve()}", f"--destination={URL}", "--delete"
            )
        chosen = [f"--count={options.count}", f"--revision={day}"]
        return lake.run_program(stack, "tasks.chest.generate", f"--output={URL}", *chosen)

    def facts(self, demo: Demo) -> dict[str, Any]:
        deployed = deployed_model(demo)
        proof = demo.xcom("deploy.prove")
        demo.begin("again", "The same version once more, out of the cache that the first run has filled")
        version = demo.summary["dataset_version"]["id"]
        run_id = demo.api.trigger(self.train_dag, {**AGAIN, "dataset_version": version})
        follow(demo.api, self.train_dag, run_id)
        demo.end()
        return {
            "evaluation": demo.xcom("evaluate"),
            "deployed_model": deployed,
            "prediction": proof,
            "reads_again": demo.api.xcom(self.train_dag, run_id, "summary")["reads"],
            "links": {
                "mlflow_model": mlflow_pages.model_page(
                    demo.stack.urls["mlflow"], deployed["model"], deployed["version"]
                )
            },
        }

    def text(self, facts: dict[str, Any]) -> str:
        return text.joined(
            text.version(facts),
            _read(facts),
            text.judged(facts, "pictures", self.metrics),
            _findings(facts),
            _deployment(facts),
            text.links(facts),
        )


def _read(facts: dict[str, Any]) -> list[str]:
    names = ("source_bytes", "fill_seconds", "data_seconds")
    head = f"  {'':<12}{'from the source':>18}{'filled in':>12}{'read in':>12}"
    rows = [("first run", facts["reads"]), ("second run", facts["reads_again"])]
    lines = [
        f"  {called:<12}{reads[names[0]]:>12,.0f} bytes{reads[names[1]]:>10.1f} s{reads[names[2]]:>10.1f} s"
        for called, reads in rows
    ]
    where = facts["reads"]["site"]
    return [f"Data, read from the cache at site {where}" if where else "Data, read from the source", head, *lines]


def _findings(facts: dict[str, Any]) -> list[str]:
    areas = facts["metrics"]["challenger"]
    low, high = facts["evaluation"]["intervals"]["challenger"]
    told = [f"{name.removeprefix('auroc_')} {area:.3f}" for name, area in areas.items() if name != "mean_auroc"]
    lines = ["  " + ", ".join(told[start : start + 5]) for start in range(0, len(told), 5)]
    held_out, people = facts["evaluation"]["held_out"], facts["evaluation"]["held_out_patients"]
    return [f"Area under the ROC curve, {held_out} pictures of {people} patients; mean {low:.3f} to {high:.3f}", *lines]


def _deployment(facts: dict[str, Any]) -> list[str]:
    model, asked = facts["deployed_model"], facts["prediction"]
    lines = [f"Deployed: {model['model']} version {model['version']}"]
    if asked:
        lines.append(f"  asked at {asked['endpoint']} about {asked['image'].rpartition('/')[2]}:")
        lines.append(f"  {', '.join(asked['predicted'])}; its table says {', '.join(asked['actual'])}")
    return lines


SYSTEM = Chest()
