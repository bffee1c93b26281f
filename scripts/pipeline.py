"""The way of every demo: services, provision, ingest, and the run that the new dataset version starts by itself."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx

from ontap_mlops.hooks import mlflow_pages
from ontap_mlops.records import DatasetVersion
from scripts import days
from scripts.airflow_api import AirflowApi
from scripts.follow import RunFailed, failure, follow
from scripts.lake import versions_of
from scripts.services import Stack, shown
from scripts.systems.system import System

PROVISION = "provision_ontap"
PARSED_S, STARTED_S = 120, 90


class Demo:
    """One demo of ``system`` on a stack: the seconds of each step by its key, and what came of it.

    ``number`` is the day of production whose data the lake gets: one more than at the last demo that succeeded here.
    """

    api: AirflowApi

    def __init__(self, system: System, stack: Stack, options: argparse.Namespace) -> None:
        self.system, self.stack, self.options = system, stack, options
        self.file = facts_file(system, stack)
        self.number = (json.loads(self.file.read_text())["demo"] if self.file.exists() else 0) + 1
        self.started = self.step_started = time.monotonic()
        self.seconds: dict[str, float] = {}
        self.ingest_run = self.train_run = ""

    def run(self) -> dict[str, Any]:
        """Return the facts, which are kept in ``file``. Raises RunFailed."""
        self.system.check(self.options)
        self.start_services()
        with self.system.beside(self.stack):
            self.provision()
            self.system.work(self)
            facts = self.facts()
        self.keep(facts)
        return facts

    def begin(self, key: str, sentence: str) -> None:
        """Say what comes next; the seconds until ``end`` count for ``key``."""
        print(f"[{time.monotonic() - self.started:4.0f} s] {sentence}", flush=True)
        self.step_started, self.step = time.monotonic(), key

    def end(self) -> None:
        self.seconds[self.step] = round(time.monotonic() - self.step_started, 1)

    def start_services(self) -> None:
        """Fill the lake while the slower services come up; those that are not needed first come last."""
        self.begin("services", "Starting the services and filling the data lake")
        self.stack.up(self.system.first, wait=False)
        self.stack.wait_ready(["lake"])
        self.fill_lake()
        self.stack.wait_ready(self.system.first)
        days.put_back(self.stack)
        self.stack.up(wait=False, optional=self.system.services)
        self.api = self.stack.airflow_api()
        self.wait_for_dags()
        self.end()

    def fill_lake(self) -> None:
        print(f"         {json.dumps(self.system.fill_lake(self.stack, self.number, self.options))}", flush=True)

    def versions(self) -> list[DatasetVersion]:
        """Return all versions of the dataset, oldest first, read from ONTAP as the DAGs do; [] before its volume is."""
        return versions_of(self.stack, self.system.dataset)

    def wait_for(self, question: Callable[[], str | None]) -> str | None:
        return wait_for(question)

    def wait_for_dags(self) -> None:
        deadline = time.monotonic() + PARSED_S
        of_data = [self.system.ingest_dag] if self.system.dataset else []
        missing = [PROVISION, self.system.train_dag, *of_data, *self.system.other_dags]
        while missing := [dag_id for dag_id in missing if self.api.dag(dag_id) is None]:
            if time.monotonic() > deadline:
                errors = [f"{file}:\n{trace}" for file, trace in self.api.import_errors().items()]
                raise RunFailed(f"Airflow does not list {', '.join(missing)}. {' '.join(errors)}")
            time.sleep(1)

    def provision(self) -> None:
        self.begin("provision", f"{PROVISION}: volumes, S3 server, keys and buckets on ONTAP")
        self.api.unpause(PROVISION)
        follow(self.api, PROVISION, self.api.trigger(PROVISION))
        self.end()

    def ingest(self) -> None:
        dag_id = self.system.ingest_dag
        self.begin("ingest", f"{dag_id}: what changed in the lake becomes a dataset version")
        self.stack.wait_ready(["mlflow"])  # which the training that the version starts asks first
        self.api.unpause(self.system.train_dag)  # before the version is made: a paused DAG does not hear of it
        self.run_ingest()
        self.end()

    def run_ingest(self) -> None:
        dag_id = self.system.ingest_dag
        self.ingest_run = self.api.run_that_is_due(dag_id) or self.api.trigger(dag_id)
        follow(self.api, dag_id, self.ingest_run)

    def train(self) -> None:
        """Follow the run that the new dataset version has started; start one when nothing was new."""
        dag_id = self.system.train_dag
        self.begin("train", f"{dag_id}: {self.system.steps}")
        self.stack.wait_ready()
        started = self.run_of_the_event()
        if started is None:
            print(
                "         The source has not changed, so no version was made; training on the newest one.", flush=True
            )
        self.train_run = started or self.api.trigger(dag_id)
        follow(self.api, dag_id, self.train_run)
        self.end()

    def start(self) -> None:
        """Start and follow the DAG of a system that has no dataset."""
        dag_id = self.system.train_dag
        self.begin("run", f"{dag_id}: {self.system.steps}")
        self.stack.wait_ready()
        self.api.unpause(dag_id)
        self.train_run = self.api.trigger(dag_id, self.system.conf(self.stack))
        follow(self.api, dag_id, self.train_run)
        self.end()

    def run_of_the_event(self) -> str | None:
        """Return the run that the new version has started, None when there is no new version. Raises RunFailed."""
        ingest_dag, train_dag = self.system.ingest_dag, self.system.train_dag
        tasks = {task["task_id"]: task for task in self.api.tasks(ingest_dag, self.ingest_run)}
        if tasks["freeze"]["state"] == "skipped":
            return None
        if run_id := wait_for(lambda: self.api.run_started_by(train_dag, self.ingest_run)):
            return run_id
        link = self.api.run_link(ingest_dag, self.ingest_run)
        raise RunFailed(f"The new dataset version has started no run of {train_dag} within {STARTED_S} s; see {link}")

    def xcom(self, task_id: str) -> Any:
        """Return what this task of the training run returned; None when it returned nothing."""
        return self.api.xcom(self.system.train_dag, self.train_run, task_id)

    @property
    def run_link(self) -> str:
        return self.api.run_link(self.system.train_dag, self.train_run)

    @cached_property
    def summary(self) -> dict[str, Any]:
        """What the training run says of itself. Raises RunFailed when it has ended without a word."""
        of_run, dag_id = self.xcom(self.system.told_by), self.system.train_dag
        if of_run is None:
            raise RunFailed(failure(self.api, dag_id, self.train_run, self.api.tasks(dag_id, self.train_run)))
        return of_run

    def facts(self) -> dict[str, Any]:
        """Return what every system's run has, and what is this system's own."""
        of_run, own, dag_id = self.summary, self.system.facts(self), self.system.train_dag
        return {
            "demo": self.number,
            "system": self.system.name,
            "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
            **of_run,
            **own,
            "runs": {**({self.system.ingest_dag: self.ingest_run} if self.ingest_run else {}), dag_id: self.train_run},
            "links": {**self.links(), **own.get("links", {})},
            "password_file": shown(self.stack.password_file),
            "seconds": {**self.seconds, "total": round(time.monotonic() - self.started, 1)},
        }

    def links(self) -> dict[str, str]:
        airflow, mlflow = self.stack.urls["airflow"], self.stack.urls["mlflow"]
        links = {"airflow": airflow, "airflow_run": self.run_link, "mlflow": mlflow}
        if run_id := self.summary.get("mlflow_run_id"):
            path, query = f"{mlflow}/api/2.0/mlflow/runs/get", {"run_id": run_id}
            info = httpx.get(path, params=query, trust_env=False).raise_for_status().json()["run"]["info"]
            page = f"{mlflow}/#/experiments/{info['experiment_id']}/runs/{info['run_id']}"
            links["mlflow_run"] = mlflow_pages.page(page)
        pictures = self.summary.get("links") or {}
        return links | {name.lower(): pictures[name] for name in mlflow_pages.PICTURE_FILES if name in pictures}

    def keep(self, facts: dict[str, Any]) -> None:
        """Write the facts whole or not at all."""
        draft = self.file.with_suffix(".new")
        draft.write_text(json.dumps(facts, indent=2) + "\n")
        draft.replace(self.file)


def facts_file(system: System, stack: Stack) -> Path:
    """Return where the facts of the last demo of this system that succeeded are kept."""
    return stack.layout.local / (system.facts_file or f"demo-{system.name}.json")


def wait_for(question: Callable[[], str | None]) -> str | None:
    """Return the first answer that is not None; None when STARTED_S pass without one."""
    deadline = time.monotonic() + STARTED_S
    while (answer := question()) is None and time.monotonic() < deadline:
        time.sleep(1)
    return answer
