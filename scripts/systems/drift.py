"""Drift: a champion of clicks, a day like the others, one with other inputs, and one whose relation has turned."""

from __future__ import annotations

import argparse
import textwrap
import time
from typing import TYPE_CHECKING, Any

import httpx

from scripts import lake
from scripts.follow import RunFailed, follow
from scripts.systems import text
from scripts.systems.system import System

if TYPE_CHECKING:
    from scripts.airflow_api import AirflowApi
    from scripts.pipeline import Demo
    from scripts.services import Stack

FOLDER = "ctr/drift/"
URL = f"s3://{lake.BUCKET}/{FOLDER}"
WATCH = "drift_ctr"
FIRST, NEW = 1000, 2000  # numbers of our days, beyond those that the demo of clicks makes
AFTER = "day_2"  # what names of days begin with that the champion was not trained on
APPROVE = "approve"
ROWS = 40_000
ANSWER_S = 120
PLANTED = (
    ("nothing", "a day like the others"),
    ("inputs", "a day with other values in six columns"),
    ("relation", "a day on which six columns do the opposite to a click"),
)


def report(stack: Stack, facts: dict[str, Any]) -> str:
    """Return the page of the last comparison of the demo, as it lies in MLflow."""
    wanted = {"path": "drift.html", "run_uuid": facts["found"][-1]["mlflow_run_id"]}
    return httpx.get(f"{stack.urls['mlflow']}/get-artifact", params=wanted, trust_env=False).raise_for_status().text


class Drift(System):
    name = "drift"
    number = 10
    dataset = "ctr_days"
    train_dag = "click_through"
    steps = "clone, convert, train, compare, deploy: the champion that is watched"
    first = ("ontap", "lake", "airflow")
    pages = {"report": report}

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--rows", type=int, default=ROWS, help=f"of each day that is made (default: {ROWS:,})")

    def fill_lake(self, stack: Stack, day: int, options: argparse.Namespace) -> dict[str, Any]:
        """Two days without any drift, in place of those of an earlier demo."""
        lake.bucket(stack).objects.filter(Prefix=FOLDER).delete()
        chosen = ["--days=2", f"--first-day={FIRST}", f"--rows={options.rows}", "--drift=0"]
        return lake.run_program(stack, "tasks.ctr.generate", f"--output={URL}", *chosen)

    def plant(self, stack: Stack, kind: str, day: int, rows: int) -> dict[str, Any]:
        chosen = [f"--kind={kind}", f"--day={day}", f"--rows={rows}"]
        return lake.run_program(stack, "tasks.drift.plant", f"--output={URL}", *chosen)

    def facts(self, demo: Demo) -> dict[str, Any]:
        api = demo.api
        champion = self.promoted(demo)
        api.pause(self.train_dag)  # it is to hear of drift, not of each version
        if due := api.run_that_is_due(WATCH):
            follow(api, WATCH, due)
        found = []
        for number, (kind, said) in enumerate(PLANTED):
            demo.begin(kind, f"{WATCH}: {said}")
            found.append({"planted": kind, **self.compared(demo, kind, NEW + number)})
            demo.end()
        demo.begin("approval", "The last alarm is approved, and its event starts the training")
        api.unpause(self.train_dag)
        training = self.approved(demo, found[-1]["run_id"])
        demo.end()
        return {
            "champion": champion,
            "found": found,
            "training": training,
            "links": {"drift": api.run_link(WATCH, found[-1]["run_id"])},
        }

    def promoted(self, demo: Demo) -> int:
        """Return the number of the champion, which was trained on the version of this demo."""
        version = demo.summary["dataset_version"]["id"]
        if demo.summary["decision"]["decision"] == "promote":
            return int(demo.summary["model_version"]["version"])
        demo.begin("champion", f"{self.train_dag}: the champion is of other days, so this one takes its place")
        run_id = demo.api.trigger(self.train_dag, {"dataset_version": version, "promote": "always"})
        follow(demo.api, self.train_dag, run_id)
        demo.end()
        return int(demo.api.xcom(self.train_dag, run_id, "summary")["model_version"]["version"])

    def compared(self, demo: Demo, kind: str, day: int) -> dict[str, Any]:
        """Make a version with one more day, of this kind, and return what the run that it starts has found.

        An alarm but the last is rejected, as by a person, so that the next day is compared with the same champion.
        """
        stack, api = demo.stack, demo.api
        lake.bucket(stack).objects.filter(Prefix=f"{FOLDER}{AFTER}").delete()
        self.plant(stack, kind, day, demo.options.rows)
        demo.run_ingest()
        run_id = demo.wait_for(lambda: api.run_started_by(WATCH, demo.ingest_run))
        if run_id is None:
            raise RunFailed(f"The new version has started no run of {WATCH}; look at {stack.urls['airflow']}")
        goes_on = until_decided(api, run_id)
        if goes_on and kind != PLANTED[-1][0]:
            api.answer(WATCH, run_id, APPROVE, "Reject")
        if not goes_on or kind != PLANTED[-1][0]:
            follow(api, WATCH, run_id)
        return {"run_id": run_id, "goes_on": goes_on, **api.xcom(WATCH, run_id, "compare")}

    def approved(self, demo: Demo, run_id: str) -> dict[str, Any]:
        """Approve the last alarm, and follow the training that its event starts."""
        if not demo.api.answer(WATCH, run_id, APPROVE, "Approve"):
            raise RunFailed(f"{WATCH} asks nobody about the last day; look at {demo.api.run_link(WATCH, run_id)}")
        follow(demo.api, WATCH, run_id)
        training = demo.wait_for(lambda: demo.api.run_started_by(self.train_dag, run_id))
        if training is None:
            raise RunFailed(f"The alarm has started no run of {self.train_dag}; look at {demo.stack.urls['airflow']}")
        follow(demo.api, self.train_dag, training)
        return {"run_id": training, **demo.api.xcom(self.train_dag, training, "summary")}

    def text(self, facts: dict[str, Any]) -> str:
        told = [f"Champion: version {facts['champion']} of {self.train_dag}, which was trained on days without drift"]
        for each, (_, said) in zip(facts["found"], PLANTED, strict=True):
            alarm = f"Alarm ({each['drift']} drift)" if each["alarm"] else "No alarm"
            told += ["", f"{said.capitalize()}: {alarm}"]
            told += textwrap.wrap(each["reason"], text.WIDTH, initial_indent="  ", subsequent_indent="  ")
        training = facts["training"]
        told += ["", f"Approved, and {self.train_dag} has trained on version {training['dataset_version']['id']}"]
        told += textwrap.wrap(text.decision(training), text.WIDTH, initial_indent="  ", subsequent_indent="  ")
        return text.joined(told, text.links(facts), [f"  Drift run     {facts['links']['drift']}"])


def until_decided(api: AirflowApi, run_id: str) -> str:
    """Wait for the decision of a run, and for the question where one is asked; return how it goes on, "" if not.

    Raises RunFailed.
    """
    deadline = time.monotonic() + ANSWER_S
    while time.monotonic() < deadline:
        if api.run(WATCH, run_id)["state"] in ("success", "failed"):
            follow(api, WATCH, run_id)  # raises where it has failed
            return (api.xcom(WATCH, run_id, "decide") or {}).get("goes_on", "")
        if api.asks(WATCH, run_id, APPROVE):
            return APPROVE
        time.sleep(1)
    raise RunFailed(f"{WATCH} has not decided within {ANSWER_S} s; look at {api.run_link(WATCH, run_id)}")


SYSTEM = Drift()
