"""The retail assistant: trained and deployed, talked to for a day, and trained again on what people said."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts import lake
from scripts.embedded import secrets
from scripts.follow import RunFailed, follow
from scripts.systems import text
from scripts.systems.system import System

if TYPE_CHECKING:
    from scripts.pipeline import Demo
    from scripts.services import Stack

URL = f"s3://{lake.BUCKET}/questions/"
COLLECT = "retail_conversations"
COUNT, TALKS = 400, 200


class Retail(System):
    name = "retail"
    number = 7
    dataset = "questions"
    train_dag = "retail_assistant"
    steps = "clone, train, judge whole conversations, deploy, hold one as proof"
    metrics = ("exact_match", "intent_accuracy", "slot_f1", "dialogs_ended")
    services = ("dialog",)

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--images", type=Path, help="folder with questions in the published form, instead of made ones"
        )
        parser.add_argument("--count", type=int, default=COUNT, help=f"questions of the first day (default: {COUNT})")
        parser.add_argument("--talks", type=int, default=TALKS, help=f"conversations of the day (default: {TALKS})")

    def check(self, options: argparse.Namespace) -> None:
        if options.images and not (options.images / "train.tsv").exists():
            raise SystemExit(f"IMAGES={options.images} holds no train.tsv; it must be in the published form.")

    def fill_lake(self, stack: Stack, day: int, options: argparse.Namespace) -> dict[str, Any]:
        lake.bucket(stack)
        if options.images:
            return lake.run_program(
                stack, "tasks.data.sync", f"--source={options.images.resolve()}", f"--destination={URL}"
            )
        return lake.run_program(stack, "tasks.retail.generate", f"--output={URL}", f"--count={options.count}")

    def facts(self, demo: Demo) -> dict[str, Any]:
        first = demo.summary
        demo.begin("talk", f"{demo.options.talks} conversations with the running service; people label what they said")
        talked = self.talk(demo.stack, demo.options.talks, seed=demo.number + 1)
        demo.end()
        demo.begin("loop", f"{COLLECT}: mask, label, version; then the run that the new version starts")
        day, run_id = self.next_day(demo)
        demo.end()
        second = demo.api.xcom(self.train_dag, run_id, "summary")
        return {
            "evaluation": demo.xcom("evaluate"),
            "talked": talked,
            "day": day,
            "second": second,
            "conversation": (second.get("conversation") or first.get("conversation") or {}),
            "links": {"second_run": demo.api.run_link(self.train_dag, run_id), "chat": demo.stack.urls["dialog"]},
        }

    def talk(self, stack: Stack, count: int, seed: int) -> dict[str, Any]:
        """Hold ``count`` conversations through the service, and label most of what was said."""
        asked = (f"--conversations={count}", f"--seed={seed}")
        return lake.run_program(stack, "tasks.retail.talk", *asked, own=self.dialog(stack))

    def dialog(self, stack: Stack) -> dict[str, str]:
        """Return what a program has to know of the running service."""
        token = secrets.get(stack.layout, secrets.DIALOG_EXPORT)
        return {"DIALOG_URL": stack.urls["dialog"], "DIALOG_TOKEN": token}

    def next_day(self, demo: Demo) -> tuple[dict[str, Any], str]:
        """Bring today home, and return what came of it with the training run that it started. Raises RunFailed."""
        api = demo.api
        api.unpause(COLLECT)
        collected = api.trigger(COLLECT, {"day": str(datetime.now(UTC).date()), "days_back": 0})
        follow(api, COLLECT, collected)
        ingested = f"conversations__{collected}"
        trained = demo.wait_for(lambda: api.run_started_by(self.train_dag, ingested))
        if trained is None:
            raise RunFailed(
                f"The day has started no run of {self.train_dag}; look at {api.run_link(COLLECT, collected)}"
            )
        follow(api, self.train_dag, trained)
        return api.xcom(COLLECT, collected, "collect"), trained

    def text(self, facts: dict[str, Any]) -> str:
        return text.joined(
            text.version(facts),
            text.judged(facts, "questions", self.metrics),
            _talked(facts),
            _next_day(facts, self.metrics),
            _proof(facts),
            [
                *text.links(facts),
                f"  {'Chat':<13} {facts['links']['chat']}, labels at {facts['links']['chat']}/label.html",
            ],
        )


def _talked(facts: dict[str, Any]) -> list[str]:
    talked, day = facts["talked"], facts["day"]
    said = [f"  {turn['heard']!r}: {turn['says']}" for turn in talked["first"]]
    return [
        f"Talked: {talked['conversations']} conversations, {talked['messages']} messages in {talked['seconds']:.0f} s; "
        f"{talked['labelled']} of them labelled by people",
        *(line[: text.WIDTH] for line in said),
        f"Brought home: {day['labelled_by_people']} labelled by people, {day['suggested']} by the model, "
        f"{day['left_out']} left out, {day['masked']} personal things masked",
    ]


def _next_day(facts: dict[str, Any], metrics: tuple[str, ...]) -> list[str]:
    second = facts["second"]
    told = text.judged({**second, "evaluation": {"held_out": second["held_out"]}}, "questions", metrics)
    return [f"The next day, dataset version {second['dataset_version']['id']}", *told]


def _proof(facts: dict[str, Any]) -> list[str]:
    turns = facts["conversation"].get("turns", ())
    return ["A conversation as proof", *(f"  {turn['heard']!r}: {turn['says']}"[: text.WIDTH] for turn in turns)]


SYSTEM = Retail()
