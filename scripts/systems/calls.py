"""Calls: spoken by machine voices, or a user's own, understood sentence by sentence, from the recording to the page."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from scripts import lake
from scripts.follow import follow
from scripts.systems import text
from scripts.systems.system import System

if TYPE_CHECKING:
    from scripts.airflow_api import AirflowApi
    from scripts.pipeline import Demo
    from scripts.services import Stack

URL = f"s3://{lake.BUCKET}/calls/"
UNDERSTAND = "call_sentiment"
COUNT, TEXTS = 20, 160
SHOWN = 4


class Calls(System):
    name = "calls"
    number = 6
    dataset = "calls"
    train_dag = "call_sentiment_training"
    steps = "clone, tune sentiment and vocabulary, judge base and tuned as pipelines, deploy if better, prove"
    services = ("calls",)
    metrics = ("pipeline_difference", "recognition_difference", "macro_f1", "word_error_rate")

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--images", type=Path, help="folder with calls.csv and recordings, instead of made calls")
        parser.add_argument("--count", type=int, default=COUNT, help=f"spoken calls of the first day ({COUNT})")
        parser.add_argument("--texts", type=int, default=TEXTS, help="calls beside them of which only the text is left")

    def check(self, options: argparse.Namespace) -> None:
        if options.images and not (options.images / "calls.csv").is_file():
            raise SystemExit(f"IMAGES={options.images} holds no calls.csv; see docs/call-sentiment.md.")
        if not options.images and not shutil.which("flite"):
            raise SystemExit("Calls are spoken by flite, which is not installed: apt-get install flite.")

    def fill_lake(self, stack: Stack, day: int, options: argparse.Namespace) -> dict[str, Any]:
        lake.bucket(stack)
        if options.images:
            source = f"--source={options.images.resolve()}"
            return lake.run_program(stack, "tasks.data.sync", source, f"--destination={URL}", "--delete")
        chosen = [f"--calls={options.count}", f"--texts={options.texts}", f"--revision={day}"]
        return lake.run_program(stack, "tasks.calls.generate", f"--output={URL}", *chosen)

    def facts(self, demo: Demo) -> dict[str, Any]:
        found = {"evaluation": demo.xcom("evaluate"), "prediction": demo.xcom("deploy.prove")}
        if not demo.summary.get("deployment"):
            return found
        demo.begin("understand", f"{UNDERSTAND}: new calls are recognised and scored into the call service")
        run_id = understood(demo.api)
        demo.end()
        page = demo.stack.urls["calls"]
        agents = httpx.get(f"{page}/api/summary?by=agent", trust_env=False).raise_for_status().json()["summary"]
        run_link = demo.api.run_link(UNDERSTAND, run_id)
        return {
            **found,
            "understood": demo.api.xcom(UNDERSTAND, run_id, "summary"),
            "agents": agents,
            "links": {
                "calls": page,
                "history": f"{page}/history.html",
                UNDERSTAND: run_link,
            },
        }

    def text(self, facts: dict[str, Any]) -> str:
        return text.joined(
            text.version(facts),
            _judged(facts),
            text.judged(facts, "sentences", self.metrics),
            _deployed(facts),
            _understood(facts),
            text.links(facts),
            _pages(facts),
        )


def understood(api: AirflowApi, **conf: Any) -> str:
    """Run id of a run of ``call_sentiment`` that has succeeded. Raises RunFailed."""
    api.unpause(UNDERSTAND)
    run_id = api.trigger(UNDERSTAND, conf)
    follow(api, UNDERSTAND, run_id)
    return run_id


def _judged(facts: dict[str, Any]) -> list[str]:
    told = facts["evaluation"]
    lines = [
        f"The pipeline's metric on {told['held_out_spoken']} held-out sentences with their recordings "
        f"({told['held_out_calls']} calls), of at most 2"
    ]
    for name, (low, high) in told["intervals"].items():
        figures = told["metrics"][name]
        lines.append(
            f"  {name:<12}{figures['pipeline_difference']:.3f} ({low:.3f} to {high:.3f}), word error rate "
            f"{figures['word_error_rate']:.3f}"
        )
    gain = told["against_base"]
    lines.append(f"  better than the base by {gain['gain']:.3f} ({gain['low']:.3f} to {gain['high']:.3f})")
    return lines


def _deployed(facts: dict[str, Any]) -> list[str]:
    asked = facts["prediction"]
    if not asked:
        return ["The model was not deployed, so no call was understood with it."]
    version = facts["model_version"]
    return [
        f"Deployed: {version['model']} version {version['version']}, hints {', '.join(facts['hints']) or 'none'}",
        f"  asked at {asked['endpoint']}: {asked['text']!r} is {asked['sentiment']}",
    ]


def _understood(facts: dict[str, Any]) -> list[str]:
    told = facts.get("understood")
    if not told:
        return []
    factor = f", a real-time factor of {told['real_time_factor']:.2f}" if told["real_time_factor"] else ""
    lines = [f"Understood: {told['calls']} calls of {told['seconds']:.0f} s, {told['sentences']} sentences{factor}"]
    for row in facts["agents"][:SHOWN]:
        sides = ", ".join(f"{side} {counts['mean']:+.2f}" for side, counts in row["sides"].items() if counts["mean"])
        lines.append(f"  {row['agent']:<8}{row['calls']:>4} calls; mean sentiment: {sides}")
    return lines + [f"  {reason}" for reason in told["reasons"]]


def _pages(facts: dict[str, Any]) -> list[str]:
    links = facts["links"]
    return [f"Pages: {links['calls']} (live), {links['history']}"] if "calls" in links else []


SYSTEM = Calls()
