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
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx

from ontap_mlops import names
from scripts import new_system
from scripts.embedded import environment, ports, secrets
from scripts.embedded.layout import ROOT
from scripts.equipment.slurm_cluster import Cluster, free_ports
from scripts.follow import follow
from scripts.services import Stack
from scripts.systems import tyre
from scripts.systems.system import System
from tests import databases, least_rights, pages

INGEST, TRAIN, PROVISION = "ingest_tyre_images", "tyre_quality", "provision_ontap"
MODELS = names.model_volume("tyre")
IMAGES = 120
NEW_SYSTEM = "probe"
FIRST_PORT = 20000 + os.getpid() % 1200 * 10  # below the range that outgoing connections take their ports from
QUICK = {"epochs": 1, "limit": 100}
# Its cluster is started by the journey that runs on it.
SLURM_PLACE = f"""
  slurm:
    kind: slurm
    slurm_conf: ../../slurm/slurm.conf
    folder: ../../slurm-jobs
    python: {sys.executable}
    working_directory: ..
    namespace_roots: {{default: "${{ONTAP_MLOPS_NAMESPACE_ROOT}}"}}
    resources: {{cpus: 2, memory_gib: 6, gpus: 1}}
"""
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)

T = TypeVar("T")


class World:
    def __init__(self, folder: Path) -> None:
        self.begun = time.monotonic()
        self.kills = folder / "kills.json"
        self.house = furnish(folder / "house")
        self.slurm_folder = folder / "slurm"
        self.slurm_jobs = folder / "slurm-jobs"
        self.settings = {
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "tests" / "journey" / "plugins"),
            "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "2",
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.house / "dags"),
            "AIRFLOW__ONTAP_MLOPS__CONFIG_DIR": str(self.house / "config"),
            "AIRFLOW__ONTAP_MLOPS__PROGRAMS_DIR": str(self.house),
            # Away from the usual ports, so that a set of services coming up beside this one takes none of them.
            **{f"ONTAP_MLOPS_PORT_{n.upper()}": str(FIRST_PORT + i) for i, n in enumerate(ports.USUAL)},
            "AIRFLOW_JOURNEY_KILLS": str(self.kills),
            **databases.settings("journeys"),
        }
        self.stack = Stack(folder / "local", self.settings)

    def up(self) -> None:
        self.stack.up(["ontap", "ontap_remote"])
        rows = environment.connections(self.stack.layout, self.stack.ports)
        self.ontap = administrator(rows["ontap_default"])
        accounts = {"AIRFLOW_CONN_ONTAP_DEFAULT": self.account(self.ontap, rows["ontap_default"])}
        with administrator(rows["ontap_remote"]) as remote:
            accounts["AIRFLOW_CONN_ONTAP_REMOTE"] = self.account(remote, rows["ontap_remote"])
        self.stack = Stack(self.stack.layout.local, self.settings | accounts)
        self.stack.up()
        self.api = self.stack.airflow_api()
        self.wait_for_dags(PROVISION)
        self.run(PROVISION)

    def account(self, api: httpx.Client, connection: dict[str, Any]) -> str:
        """The connection that all DAGs use: to an account that the generated script for administrators has made."""
        password = secrets.get(self.stack.layout, "journey_mlops")
        least_rights.make(api, connection["extra"]["svm"], password)
        return json.dumps({**connection, "login": least_rights.NAME, "password": password})

    def ready(self, system: System) -> None:
        """Its DAGs are there, today's run of the training DAG is over, and no new version starts another by itself."""
        self.wait_for_dags(system.ingest_dag, system.train_dag)
        self.run_what_is_due(system.train_dag)
        self.run_what_events_wait_for(system.train_dag)
        self.pause(system.train_dag)

    def run_what_events_wait_for(self, dag_id: str, quiet_s: float = 3) -> None:
        """A DAG that is unpaused also hears of versions made before; the tests want that behind them too."""
        since = time.monotonic()
        while time.monotonic() - since < quiet_s:
            for run in self.api.runs(dag_id):
                if run["state"] in ("queued", "running"):
                    follow(self.api, dag_id, run["dag_run_id"])
                    since = time.monotonic()
            time.sleep(0.5)

    def settle(self) -> None:
        """Follow what still runs, such as a training that the journey's last version has started. Raises RunFailed.

        The next journey would find its workspace, and share the processors with it.
        """
        while left := self.left_running():
            dag_id, run_id = left[0]
            print(f"{dag_id} still runs: {run_id}", flush=True)
            follow(self.api, dag_id, run_id)

    def left_running(self) -> list[tuple[str, str]]:
        """Runs that are not over, as DAG and run id; what a paused DAG has not begun stays as it is."""
        paused = {dag["dag_id"] for dag in self.api.call("GET", "dags", params={"paused": True, "limit": 200})["dags"]}
        asked = {"state": ["queued", "running"], "limit": 200}
        runs = self.api.call("GET", "dags/~/dagRuns", params=asked)["dag_runs"]
        return [(run["dag_id"], run["dag_run_id"]) for run in runs if run["dag_id"] not in paused]

    def wait_for_dags(self, *dag_ids: str) -> None:
        wait_for(
            lambda: all(self.api.dag(dag_id) for dag_id in dag_ids),
            lambda: f"Airflow does not list all of {dag_ids}: {self.api.import_errors()}",
        )

    @functools.cached_property
    def slurm(self) -> Cluster:
        """Started by whoever needs it, on ports that are free then."""
        return Cluster(self.slurm_folder, free_ports(5), patient=True)

    # What tests do

    def set_clock(self, now: datetime | None) -> None:
        """ONTAP's clock; None is the machine's own time again."""
        body = {"now": now.isoformat()} if now else {"offset_s": 0}
        self.ontap.put("/emulator/clock", json=body).raise_for_status()

    def step(self, sentence: str) -> None:
        """Say what comes next; a test that fails is shown with the steps before it."""
        print(f"[{time.monotonic() - self.begun:4.0f} s] {sentence}", flush=True)

    def fill_lake(self, revision: int) -> None:
        tyre.fill_with_samples(self.stack, IMAGES, revision)

    def run_of(self, system: System, ingest_run: str) -> str:
        """The run of the training DAG that the new version has started; returns when it has succeeded."""
        train = system.train_dag
        run_id = wait_for(
            lambda: self.api.run_started_by(train, ingest_run), lambda: f"the version has started no run of {train}"
        )
        follow(self.api, train, run_id)
        return run_id

    def with_a_version(self) -> None:
        """At least one version of the tyre images."""
        if not self.snapshots("tyre_images"):
            self.fill_lake(revision=1)
            self.run(INGEST)

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

    def remove_workspaces(self) -> None:
        """What the log of a collection asks a person for; the other journeys expect that nothing is left of any run."""
        for path in ("/protocols/s3/buckets", "/storage/volumes"):
            asked: dict[str, str | int] = {"name": "mlops-ws*|mlops_ws*", "return_timeout": 60}
            self.ontap.delete(f"/api{path}", params=asked).raise_for_status()
        assert self.workspaces() == set()

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
        """Names, sorted; none where there is no such volume."""
        found = [volume["uuid"] for volume in self.records("/storage/volumes", name=volume)]
        return sorted(s["name"] for uuid in found for s in self.records(f"/storage/volumes/{uuid}/snapshots"))

    def workspaces(self) -> set[str]:
        return {name for name in self.volumes() | self.buckets() if name.startswith(("mlops_ws", "mlops-ws"))}

    def hub(self, path: str) -> dict[str, Any]:
        """What the data hub's JSON API says now."""
        return self.api.call("GET", path, below="ontap/api", params={"refresh": "true"})

    def mlflow(self, path: str, **body: Any) -> dict[str, Any]:
        url = f"{self.stack.urls['mlflow']}/api/2.0/mlflow/{path}"
        return httpx.post(url, json=body, trust_env=False, timeout=60).raise_for_status().json()

    def training_runs(self) -> list[dict[str, str]]:
        """Tags of every MLflow run of the tyre system, which makes one for each training."""
        return [tags for tags in self.tracked_runs() if tags.get("airflow_run", "").startswith(f"{TRAIN}/")]

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

    def files(self, volume: str) -> Path:
        """The volume as an NFS client sees it."""
        return self.stack.layout.namespace / "svm1" / volume

    def model_folders(self) -> list[str]:
        folder = self.files(MODELS)
        return sorted(path.name for path in folder.iterdir() if path.name.startswith("r")) if folder.exists() else []

    def served(self) -> dict[str, Any]:
        """Triton's own word on the model it serves."""
        url = f"{self.stack.urls['triton']}/v2/models/tyre"
        return httpx.get(url, trust_env=False, timeout=30).raise_for_status().json()

    def inventory(self) -> dict[str, Any]:
        """Everything that a run could leave behind or make twice."""
        return {
            "volumes": self.volumes() - {MODELS},  # made by the first run that needs it
            "buckets": self.buckets(),
            "versions": self.snapshots("tyre_images"),
            "model snapshots": self.snapshots(MODELS),
            "training runs": sorted(tags["run_key"] for tags in self.training_runs()),
            "model versions": self.model_versions(),
            "model folders": self.model_folders(),
        }

    def kill(self, plan: dict[str, dict[str, str]]) -> None:
        """Kill task processes from now on as ``plugins/killer.py`` says; {} ends it."""
        self.kills.write_text(json.dumps(plan))

    def tasks(self, dag_id: str, run_id: str) -> dict[str, dict[str, Any]]:
        """The last try of each task that was not skipped, by its id; of a mapped one any."""
        tasks = self.api.tasks(dag_id, run_id)
        return {task["task_id"]: task for task in tasks if task["state"] != "skipped"}


@functools.cache
def world() -> World:
    """Brought up once, taken down when Python ends. JOURNEY_LOCAL names a folder to keep for a look afterwards."""
    kept = os.environ.get("JOURNEY_LOCAL")
    folder = Path(kept) if kept else Path(tempfile.mkdtemp(prefix="ontap-mlops-journey-"))
    folder.chmod(0o711)  # the accounts of munge and MariaDB reach their own folders in it
    made = World(folder)
    atexit.register(end, made, None if kept else folder)
    made.up()
    return made


def furnish(house: Path) -> Path:
    """A copy of DAGs, programs and configuration, with what ``make new-system`` and docs/your-own-data.md make."""
    if not house.exists():
        for name in ("config", "dags", "tasks", "tests/dags"):
            shutil.copytree(ROOT / name, house / name, ignore=shutil.ignore_patterns("__pycache__"))
        new_system.write(NEW_SYSTEM, house)
        told = pages.files("your-own-data.md")
        (house / "dags" / "bottles.py").write_text(told["dags/bottles.py"])
        with (house / "config" / "datasets.yaml").open("a") as file:
            file.write(told["config/datasets.yaml"].partition("datasets:\n")[2])
            file.write("    keep:\n      evidence_days: 30\n")  # the one dataset whose models lock their evidence
        with (house / "config" / "compute.yaml").open("a") as file:
            file.write(SLURM_PLACE)
    return house


def end(made: World, folder: Path | None) -> None:
    if made.slurm_folder.exists():
        made.slurm.down()
    made.stack.down()
    if folder:
        shutil.rmtree(folder, ignore_errors=True)


def administrator(connection: dict[str, Any]) -> httpx.Client:
    return httpx.Client(
        base_url=f"https://{connection['host']}:{connection['port']}",
        auth=(connection["login"], connection["password"]),
        verify=ssl.create_default_context(cafile=connection["extra"]["verify"]),
        trust_env=False,
        timeout=60,
    )


def wait_for(look: Callable[[], T], otherwise: Callable[[], str], timeout_s: float = 120) -> T:
    """Return the first answer that is true. AssertionError with the sentence of ``otherwise`` when none comes."""
    deadline = time.monotonic() + timeout_s
    while not (found := look()):
        assert time.monotonic() < deadline, f"after {timeout_s:.0f} s: {otherwise()}"
        time.sleep(0.5)
    return found


def noon(days_ago: int) -> datetime:
    return TODAY - timedelta(days=days_ago) + timedelta(hours=12)
