"""Drift: a champion of clicks, a day like the others, one with other inputs, and one whose relation has turned.

With past days, a stable stream comes before them: a version for each of these days, with one more day of clicks, and a
backfill that compares each with the champion, which was trained on the version before the first of them.
"""

from __future__ import annotations

import argparse
import itertools
import textwrap
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import httpx

from scripts import days, lake
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
FIRST, NEW, STREAM = 1000, 2000, 3000  # numbers of our days, beyond those that the demo of clicks makes
AFTER = "day_2"  # what names of days begin with that the champion was not trained on
APPROVE = "approve"
ROWS, ROWS_OF_STREAM = 40_000, 9_000
MOST_DAYS = 60
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
        usual = f"of each day that is made (default: {ROWS:,}, and {ROWS_OF_STREAM:,} with --days)"
        parser.add_argument("--rows", type=int, help=usual)
        past = "make versions of that many past days without drift first, and compare them by a backfill"
        parser.add_argument("--days", type=days.up_to(MOST_DAYS), help=past)

    def rows(self, options: argparse.Namespace) -> int:
        return options.rows or (ROWS_OF_STREAM if options.days else ROWS)

    def work(self, demo: Demo) -> None:
        """With past days, a version of the champion's two days alone and one for each more day; train on the first."""
        if not demo.options.days:
            super().work(demo)
            return
        first = self.make_past(demo)
        demo.begin("train", f"{self.train_dag}: {self.steps}")
        demo.stack.wait_ready()
        demo.api.unpause(self.train_dag)
        demo.train_run = demo.api.trigger(self.train_dag, {"dataset_version": first, "promote": "always"})
        follow(demo.api, self.train_dag, demo.train_run)
        demo.end()

    def make_past(self, demo: Demo) -> str:
        """Make a version before the first of the past days, and one for each of them; return the id of the first."""
        if known := demo.versions():
            raise RunFailed(
                f"{self.dataset} has {len(known)} versions already, the first of {known[0].created_at}, and what is "
                "past stays as it was: remove them with `make clean`, or leave DAYS out."
            )
        left = iter(range(STREAM, STREAM + demo.options.days))

        def next_day() -> None:
            """After the last version nothing: the days of today are the planted ones."""
            for number in itertools.islice(left, 1):
                self.plant(demo.stack, "nothing", number, self.rows(demo.options))

        days.make_versions(demo, demo.options.days + 1, next_day)
        return demo.versions()[0].id

    def fill_lake(self, stack: Stack, day: int, options: argparse.Namespace) -> dict[str, Any]:
        """Two days without any drift, in place of those of an earlier demo."""
        lake.bucket(stack).objects.filter(Prefix=FOLDER).delete()
        chosen = ["--days=2", f"--first-day={FIRST}", f"--rows={self.rows(options)}", "--drift=0"]
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
        stable = self.looked_back(demo) if demo.options.days else []
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
            "stable": stable,
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

    def looked_back(self, demo: Demo) -> list[dict[str, Any]]:
        """Compare each of the past days by a backfill of the scheduler; return what each run has found."""
        found = []
        for day, told in days.backfilled(demo, WATCH, "compare", demo.options.days):
            if told is None:
                raise RunFailed(f"The run of {day} has compared nothing; look at {demo.stack.urls['airflow']}")
            found.append({"date": f"{day}", **told})
        return found

    def compared(self, demo: Demo, kind: str, day: int) -> dict[str, Any]:
        """Make a version with one more day, of this kind, and return what the run that it starts has found.

        An alarm but the last is rejected, as by a person, so that the next day is compared with the same champion.
        """
        stack, api = demo.stack, demo.api
        lake.bucket(stack).objects.filter(Prefix=f"{FOLDER}{AFTER}").delete()
        self.plant(stack, kind, day, self.rows(demo.options))
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
        told += table(facts.get("stable", []))
        for each, (_, said) in zip(facts["found"], PLANTED, strict=True):
            alarm = f"Alarm ({each['drift']} drift)" if each["alarm"] else "No alarm"
            told += ["", f"{said.capitalize()}: {alarm}"]
            told += textwrap.wrap(each["reason"], text.WIDTH, initial_indent="  ", subsequent_indent="  ")
        training = facts["training"]
        told += ["", f"Approved, and {self.train_dag} has trained on version {training['dataset_version']['id']}"]
        told += textwrap.wrap(text.decision(training), text.WIDTH, initial_indent="  ", subsequent_indent="  ")
        return text.joined(told, text.links(facts), [f"  Drift run     {facts['links']['drift']}"])


def table(stable: Sequence[dict[str, Any]]) -> list[str]:
    """Set what was found on past days in lines; [] without any."""
    if not stable:
        return []
    alarms = sum(each["alarm"] for each in stable)
    head = f"  {'date':<12}{'drift':<18}{'new rows':>9}{'largest distance':>18}{'unexplained':>13}"
    told = f"{len(stable)} days without drift, compared by a backfill of {WATCH}: {alarms} alarms"
    return ["", told, head, *map(_line, stable)]


def _line(found: dict[str, Any]) -> str:
    distance = f"{max(found['columns'].values()):.3f}" if found.get("columns") else "-"
    unexplained = f"{found['unexplained'][0]:+.3f}" if found.get("unexplained") else "-"
    return f"  {found['date']:<12}{found['drift']:<18}{found['new_rows']:>9,}{distance:>18}{unexplained:>13}"


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
