"""Documents: scanned, indexed and asked; some change, and they are asked as of then and now, by who may read what."""

from __future__ import annotations

import argparse
import json
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from scripts import lake
from scripts.embedded import secrets
from scripts.follow import RunFailed, follow
from scripts.systems import text
from scripts.systems.system import System

if TYPE_CHECKING:
    from scripts.pipeline import Demo
    from scripts.services import Stack

URL = f"s3://{lake.BUCKET}/documents/"
CHANGED = "How much is the daily allowance for meals on a business trip?"
RESTRICTED = "How much does the board offer for the company Aldertech?"
METRICS = ("recall_at_5", "mrr", "answered_right", "faithfulness", "told_none")


class Documents(System):
    name = "documents"
    number = 10
    dataset = "documents"
    train_dag = "documents"
    steps = "scan for personal data, embed, freeze the index, judge it, serve, ask"
    metrics = METRICS
    first = ("ontap", "lake", "airflow")
    services = ("documents",)

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

    def facts(self, demo: Demo) -> dict[str, Any]:
        demo.begin("ask", "Questions to the running service, each with its source")
        service = Service(demo.stack)
        found: dict[str, Any] = {"links": {"page": service.url}}
        found["asked"] = [service.ask(question) for question in questions(demo.stack)]
        if demo.options.images:
            demo.end()
            return found
        found["rights"] = [(who or "nobody", service.ask(RESTRICTED, who)) for who in ("", "documents_board")]
        demo.end()
        demo.begin("change", f"Some policies change: {self.ingest_dag}, then the run that the new version starts")
        found["changed"] = self.changed(demo)
        demo.end()
        then = facts_time(demo.summary)
        found["dates"] = [("now", service.ask(CHANGED)), (f"as of {then}", service.ask(CHANGED, as_of=then))]
        return found

    def changed(self, demo: Demo) -> dict[str, Any]:
        """Let some documents change, and return the summary of the run that this starts. Raises RunFailed."""
        self.fill_lake(demo.stack, 2, demo.options)
        ingested = demo.api.trigger(self.ingest_dag)
        follow(demo.api, self.ingest_dag, ingested)
        run_id = demo.wait_for(lambda: demo.api.run_started_by(self.train_dag, ingested))
        if run_id is None:
            raise RunFailed(f"The changed documents have started no run of {self.train_dag}.")
        follow(demo.api, self.train_dag, run_id)
        return dict(demo.api.xcom(self.train_dag, run_id, "summary"))

    def text(self, facts: dict[str, Any]) -> str:
        changed = (
            [_of_version(facts["changed"], "Some policies changed: "), _dates(facts)] if "changed" in facts else []
        )
        return text.joined(
            text.version(facts), _of_version(facts, ""), _asked(facts), *changed, text.links(facts),
            [f"Page: {facts['links']['page']}"],
        )  # fmt: skip


class Service:
    """The running document service, asked as a person would."""

    def __init__(self, stack: Stack) -> None:
        self.url, self._layout = stack.urls["documents"], stack.layout

    def ask(self, question: str, person: str = "", as_of: str = "") -> dict[str, Any]:
        """Return question, answer, and where it stands: file, place and version.

        :param person: the secret with a person's token; nobody in particular if not given.
        """
        headers = {"Authorization": f"Bearer {secrets.get(self._layout, person)}"} if person else {}
        body = {"question": question, **({"as_of": as_of} if as_of else {})}
        with httpx.Client(trust_env=False, timeout=60) as client:
            answer = client.post(f"{self.url}/api/questions", json=body, headers=headers).raise_for_status().json()
        said = " ".join(line["text"] for line in answer.get("answer", ())) or answer.get("says", "")
        sources = [f"{source['file']}, {source['place']}" for source in answer.get("sources", ())]
        return {"question": question, "says": said, "sources": sources, "version": answer.get("dataset_version", "")}


def questions(stack: Stack) -> list[str]:
    """Return the questions that lie beside the documents; none where there is no file."""
    file = stack.layout.namespace / "svm1" / "documents" / "data" / "questions.jsonl"
    lines = file.read_text().splitlines() if file.exists() else []
    return [json.loads(line)["question"] for line in lines if line.strip()]


def facts_time(facts: dict[str, Any]) -> str:
    return str(facts["dataset_version"]["created_at"])


def _asked(facts: dict[str, Any]) -> list[str]:
    lines = ["Asked over HTTP, as anybody"]
    for told in facts["asked"]:
        lines += _told(told["question"], told)
    for who, told in facts.get("rights", ()):
        lines += _told(f"{told['question']} ({who} asks)", told)
    return lines


def _dates(facts: dict[str, Any]) -> list[str]:
    return [line for when, told in facts["dates"] for line in _told(f"{told['question']} ({when})", told)]


def _told(head: str, told: dict[str, Any]) -> list[str]:
    source = f"    {'; '.join(told['sources'])}" if told["sources"] else ""
    return [f"  {head}"[: text.WIDTH], f"    {told['says']}"[: text.WIDTH], *([source[: text.WIDTH]] if source else [])]


def _of_version(facts: dict[str, Any], head: str) -> list[str]:
    scan, built = facts["scan"], facts["build"]
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
    return lines


SYSTEM = Documents()
