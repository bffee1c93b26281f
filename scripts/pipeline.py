"""The way of every demo: services, provision, ingest, and the run that the new dataset version starts by itself."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from scripts.airflow_api import AirflowApi
from scripts.follow import RunFailed, follow
from scripts.services import Stack, shown

PROVISION = "provision_ontap"
FIRST = ("ontap", "lake", "triton", "airflow")
PARSED_S, STARTED_S = 120, 90


class Pipeline:
    """Runs the DAGs ``ingest`` and ``train`` on a stack; ``seconds`` of each step by its key, ``file`` for the facts of
    the last demo that succeeded, whose ``demo`` counts them."""

    ingest_dag: str
    train_dag: str
    api: AirflowApi

    def __init__(self, stack: Stack, file: Path) -> None:
        self.stack = stack
        self.file = file
        self.number = (json.loads(file.read_text())["demo"] if file.exists() else 0) + 1
        self.started = self.step_started = time.monotonic()
        self.seconds: dict[str, float] = {}

    def run(self) -> dict[str, Any]:
        """The facts, kept in ``file``. Raises RunFailed."""
        raise NotImplementedError

    def begin(self, key: str, sentence: str) -> None:
        """Says what comes next; the seconds up to the next step count for ``key``."""
        print(f"[{time.monotonic() - self.started:4.0f} s] {sentence}", flush=True)
        self.step_started, self.step = time.monotonic(), key

    def end(self) -> None:
        self.seconds[self.step] = round(time.monotonic() - self.step_started, 1)

    @property
    def timing(self) -> dict[str, float]:
        return {**self.seconds, "total": round(time.monotonic() - self.started, 1)}

    def start_services(self, fill_lake: Callable[[], dict[str, Any]], first: Sequence[str] = FIRST) -> None:
        """The lake is filled while the slower services come up; those not in ``first`` come last."""
        self.begin("services", "Starting the services and filling the data lake")
        self.stack.up(first, wait=False)
        self.stack.wait_ready(["lake"])
        print(f"         {json.dumps(fill_lake())}", flush=True)
        self.stack.wait_ready(first)
        self.stack.up(wait=False)
        self.api = self.stack.airflow_api()
        self.wait_for_dags()
        self.end()

    def wait_for_dags(self) -> None:
        deadline = time.monotonic() + PARSED_S
        missing = [PROVISION, self.ingest_dag, self.train_dag]
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

    def ingest(self) -> str:
        self.begin("ingest", f"{self.ingest_dag}: what changed in the lake becomes a dataset version")
        self.api.unpause(self.train_dag)  # before the version is made: a paused DAG does not hear of it
        run_id = self.api.run_that_is_due(self.ingest_dag) or self.api.trigger(self.ingest_dag)
        follow(self.api, self.ingest_dag, run_id)
        self.end()
        return run_id

    def train(self, ingest_run: str, what: str) -> str:
        """The run that the new dataset version has started by itself; started by hand when nothing was new."""
        self.begin("train", f"{self.train_dag}: {what}")
        self.stack.wait_ready()
        run_id = self.run_of_the_event(ingest_run)
        if run_id is None:
            print(
                "         The source has not changed, so no version was made; training on the newest one.", flush=True
            )
            run_id = self.api.trigger(self.train_dag)
        follow(self.api, self.train_dag, run_id)
        self.end()
        return run_id

    def run_of_the_event(self, ingest_run: str) -> str | None:
        tasks = {task["task_id"]: task for task in self.api.tasks(self.ingest_dag, ingest_run)}
        if tasks["freeze"]["state"] == "skipped":
            return None
        if run_id := wait_for(lambda: self.api.run_started_by(self.train_dag, ingest_run)):
            return run_id
        link = self.api.run_link(self.ingest_dag, ingest_run)
        raise RunFailed(
            f"The new dataset version has started no run of {self.train_dag} within {STARTED_S} s; see {link}"
        )

    def keep(self, facts: dict[str, Any]) -> None:
        """Whole or not at all."""
        draft = self.file.with_suffix(".new")
        draft.write_text(json.dumps(facts, indent=2) + "\n")
        draft.replace(self.file)


def outcome(demo: Pipeline, text: Callable[[dict[str, Any]], str]) -> int:
    """Runs it and prints its facts as ``text`` says them; the exit code."""
    try:
        facts = demo.run()
    except (RunFailed, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"\n{text(facts)}\n\nDone in {facts['seconds']['total']:.0f} s; all facts: {shown(demo.file)}")
    return 0


def wait_for(question: Callable[[], str | None]) -> str | None:
    """The first answer that is not None; None when STARTED_S pass without one."""
    deadline = time.monotonic() + STARTED_S
    while (answer := question()) is None and time.monotonic() < deadline:
        time.sleep(1)
    return answer
