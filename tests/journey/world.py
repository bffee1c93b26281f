"""One set of services in which a real scheduler runs the DAGs, shared by all journey and browser tests of a session."""

from __future__ import annotations

import atexit
import functools
import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from scripts import lake
from scripts.embedded import ports, secrets
from scripts.embedded.layout import ROOT
from scripts.follow import follow
from scripts.services import Stack

INGEST, TRAIN, PROVISION = "ingest_tyre_images", "tyre_quality", "provision_ontap"
IMAGES = 120
FIRST_PORT = 20000 + os.getpid() % 1500 * 8  # below the range that outgoing connections take their ports from
QUICK = {"epochs": 1, "limit": 100}
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


class World:
    def __init__(self, folder: Path) -> None:
        self.kills = folder / "kills.json"
        self.stack = Stack(
            folder / "local",
            settings={
                "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "tests" / "journey" / "plugins"),
                "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "2",
                # Away from the usual ports, so that a set of services coming up beside this one takes none of them.
                **{f"ONTAP_MLOPS_PORT_{n.upper()}": str(FIRST_PORT + i) for i, n in enumerate(ports.USUAL)},
                "AIRFLOW_JOURNEY_KILLS": str(self.kills),
            },
        )

    def up(self) -> None:
        self.stack.up()
        self.api = self.stack.airflow_api()
        self.ontap = httpx.Client(
            base_url=self.stack.urls["ontap"],
            auth=("admin", secrets.get(self.stack.layout, secrets.ONTAP_ADMIN)),
            verify=ssl.create_default_context(cafile=self.stack.layout.ontap_ca),
            trust_env=False,
            timeout=60,
        )
        self.wait_for_dags()
        self.run(PROVISION)
        self.run_what_is_due(TRAIN)  # skipped: there is no version yet
        self.pause(TRAIN)

    def wait_for_dags(self) -> None:
        deadline = time.monotonic() + 120
        while missing := [dag_id for dag_id in (PROVISION, INGEST, TRAIN) if self.api.dag(dag_id) is None]:
            assert time.monotonic() < deadline, f"Airflow does not list {missing}: {self.api.import_errors()}"
            time.sleep(1)

    # What tests do

    def set_clock(self, now: datetime | None) -> None:
        """ONTAP's clock; None is the machine's own time again."""
        body = {"now": now.isoformat()} if now else {"offset_s": 0}
        self.ontap.put("/emulator/clock", json=body).raise_for_status()

    def fill_lake(self, revision: int) -> None:
        lake.fill_with_samples(self.stack, IMAGES, revision)

    def run(self, dag_id: str, conf: dict[str, Any] | None = None, logical_date: datetime | None = None) -> str:
        """Run id of a run that has succeeded. Raises RunFailed."""
        run_id = self.start(dag_id, conf, logical_date)
        follow(self.api, dag_id, run_id)
        return run_id

    def run_what_is_due(self, dag_id: str) -> None:
        """A daily DAG that is unpaused for the first time runs once for today; the tests want that behind them."""
        if run_id := self.api.run_that_is_due(dag_id):
            follow(self.api, dag_id, run_id)

    def start(self, dag_id: str, conf: dict[str, Any] | None = None, logical_date: datetime | None = None) -> str:
        due = self.api.run_that_is_due(dag_id)
        if due and not conf and logical_date is None:
            return due
        return self.api.trigger(dag_id, conf, logical_date and logical_date.isoformat())

    def pause(self, dag_id: str) -> None:
        self.api.call("PATCH", f"dags/{dag_id}", json={"is_paused": True})

    def airflow(self, *arguments: str) -> str:
        """Airflow's command line, as a user types it."""
        command = [sys.executable, "-m", "airflow", *arguments]
        done = subprocess.run(command, env=self.stack.env(), cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    # What tests look at

    def states(self, dag_id: str, run_id: str) -> dict[str, str]:
        return {task["task_id"]: task["state"] for task in self.api.tasks(dag_id, run_id)}

    def records(self, path: str, **query: str) -> list[dict[str, Any]]:
        answer = self.ontap.get(f"/api{path}", params={"fields": "*", **query}).raise_for_status()
        return answer.json()["records"]

    def volumes(self) -> set[str]:
        return {volume["name"] for volume in self.records("/storage/volumes")}

    def buckets(self) -> set[str]:
        return {bucket["name"] for bucket in self.records("/protocols/s3/buckets")}

    def snapshots(self, volume: str) -> list[str]:
        uuid = self.records("/storage/volumes", name=volume)[0]["uuid"]
        return sorted(s["name"] for s in self.records(f"/storage/volumes/{uuid}/snapshots"))

    def workspaces(self) -> set[str]:
        return {name for name in self.volumes() | self.buckets() if name.startswith(("mlops_ws", "mlops-ws"))}

    def mlflow(self, path: str, **body: Any) -> dict[str, Any]:
        url = f"{self.stack.urls['mlflow']}/api/2.0/mlflow/{path}"
        return httpx.post(url, json=body, trust_env=False, timeout=60).raise_for_status().json()

    def training_runs(self) -> list[dict[str, str]]:
        """Tags of every MLflow run that became the training of a DAG run."""
        return [tags for tags in self.tracked_runs() if "run_key" in tags]

    def tracked_runs(self) -> list[dict[str, str]]:
        """Tags of every MLflow run of a program that worked on a dataset version."""
        found = self.mlflow("experiments/search", max_results=100)["experiments"]
        ids = [experiment["experiment_id"] for experiment in found]
        runs = self.mlflow("runs/search", experiment_ids=ids, max_results=1000).get("runs", [])
        tags = [{tag["key"]: tag["value"] for tag in run["data"].get("tags", [])} for run in runs]
        return [t for t in tags if "dataset_version" in t]

    def model_versions(self) -> list[str]:
        url = f"{self.stack.urls['mlflow']}/api/2.0/mlflow/model-versions/search"
        found = httpx.get(url, trust_env=False, timeout=60).raise_for_status().json().get("model_versions", [])
        return sorted(version["version"] for version in found)

    def model_folders(self) -> list[str]:
        folder = self.stack.layout.namespace / "svm1" / "models" / "models" / "tyre"
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []

    def served(self) -> dict[str, Any]:
        """Triton's own word on the model it serves."""
        url = f"{self.stack.urls['triton']}/v2/models/tyre"
        return httpx.get(url, trust_env=False, timeout=30).raise_for_status().json()

    def inventory(self) -> dict[str, Any]:
        """Everything that a run could leave behind or make twice."""
        return {
            "volumes": self.volumes(),
            "buckets": self.buckets(),
            "versions": self.snapshots("tyre_images"),
            "model snapshots": self.snapshots("models"),
            "training runs": sorted(tags["run_key"] for tags in self.training_runs()),
            "model versions": self.model_versions(),
            "model folders": self.model_folders(),
        }

    def kill(self, plan: dict[str, dict[str, str]]) -> None:
        self.kills.write_text(json.dumps(plan))


@functools.cache
def world() -> World:
    """Brought up once, taken down when Python ends. JOURNEY_LOCAL names a folder to keep for a look afterwards."""
    kept = os.environ.get("JOURNEY_LOCAL")
    folder = Path(kept) if kept else Path(tempfile.mkdtemp(prefix="ontap-mlops-journey-"))
    made = World(folder)
    atexit.register(end, made, None if kept else folder)
    made.up()
    return made


def end(made: World, folder: Path | None) -> None:
    made.stack.down()
    if folder:
        shutil.rmtree(folder, ignore_errors=True)


def noon(days_ago: int) -> datetime:
    return TODAY - timedelta(days=days_ago) + timedelta(hours=12)
