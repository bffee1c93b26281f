"""Documents: scanned, indexed and asked; some change, and they are asked as of then and now, by who may read what."""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts import lake
from scripts.follow import RunFailed, follow
from scripts.systems import text
from scripts.systems.system import System

if TYPE_CHECKING:
    from scripts.pipeline import Demo
    from scripts.services import Stack

URL = f"s3://{lake.BUCKET}/documents/"
METRICS = ("recall_at_5", "mrr", "answered_right", "faithfulness", "told_none")


class Documents(System):
    name = "documents"
    dataset = "documents"
    train_dag = "documents"
    steps = "scan for personal data, embed, freeze the index, judge it, serve, ask"
    metrics = METRICS
    first = ("ontap", "lake", "airflow")

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--images", type=Path, help="folder with documents, instead of made ones")

    def check(self, options: argparse.Namespace) -> None:
        if options.images and not options.images.is_dir():
            raise SystemExit(f"IMAGES={options.images} is no folder; name one with documents.")

    def fill_lake(self, stack: Stack, day: int, options: argparse.Namespace) -> dict[str, Any]:
        lake.bucket(stack)
        if options.images:
            source = f"--source={options.images.resolve()}"
            return lake.run_program(stack, "tasks.data.sync", source, f"--destination={URL}", "--delete")
        return lake.run_program(stack, "tasks.documents.generate", f"--output={URL}", f"--revision={day}")

    def conf(self, stack: Stack) -> dict[str, Any]:
        return {"ask_by": "index"}

    def facts(self, demo: Demo) -> dict[str, Any]:
        if demo.options.images:
            return {}
        demo.begin("change", f"Some policies change: {self.ingest_dag}, then the run that the new version starts")
        self.fill_lake(demo.stack, 2, demo.options)
        ingested = demo.api.trigger(self.ingest_dag)
        follow(demo.api, self.ingest_dag, ingested)
        run_id = demo.wait_for(lambda: demo.api.run_started_by(self.train_dag, ingested))
        if run_id is None:
            raise RunFailed(f"The changed documents have started no run of {self.train_dag}.")
        follow(demo.api, self.train_dag, run_id)
        demo.end()
        return {"changed": demo.api.xcom(self.train_dag, run_id, "summary")}

    def text(self, facts: dict[str, Any]) -> str:
        changed = [_of_version(facts["changed"], "Some policies changed: ")] if "changed" in facts else []
        return text.joined(text.version(facts), _of_version(facts, ""), *changed, text.links(facts))


def _of_version(facts: dict[str, Any], head: str) -> list[str]:
    scan, built, asked = facts["scan"], facts["build"], facts.get("asked") or {}
    outcomes = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in scan["outcomes"].items() if count)
    kinds = ", ".join(f"{kind} in {count}" for kind, count in scan["kinds"].items())
    lines = [
        f"{head}version {facts['dataset_version']['id']}",
        f"  {scan['files']} documents, {scan['opened']} of them opened: {outcomes}",
        f"  personal or sensitive data: {kinds}",
        *(f"  {sentence}"[: text.WIDTH] for sentence in scan["sentences"]),
        f"  embedded {built['embedded']}, taken over {built['taken_over']}, removed {built['removed']}",
    ]
    for name, figures in facts["metrics"].items():
        shown = ", ".join(f"{figure} {figures[figure]:.2f}" for figure in METRICS if figure in figures)
        lines.append(f"  {name} on {facts['held_out']} questions: {shown}")
    decision = facts["decision"]
    lines += textwrap.wrap(f"{decision['decision']}: {decision['reason']}", text.WIDTH - 2, initial_indent="  ")
    return [*lines, *([f"  {asked['question']} {asked['answer']}"[: text.WIDTH]] if asked else [])]


SYSTEM = Documents()
