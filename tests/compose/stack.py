"""docker-compose.yaml brought up under a name and on ports of its own, and what a test asks of it."""

from __future__ import annotations

import json
import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from scripts.airflow_api import AirflowApi
from scripts.composing import engines, lake
from scripts.composing.file import COMPOSE, ROOT, ComposeFile
from tests.until import until

PROVISION, INGEST, TRAIN = "provision_ontap", "ingest_tyre_images", "tyre_quality"
PROFILES = "emulator,second-site,cpu,dialog,calls,documents"
IMAGES = 400
READY_S = 900
WAIT_S = 600
LOOK_S = 1.0
KILLED = 137


class World:
    """The services under a name and on ports of their own."""

    def __init__(self, engine: engines.Engine) -> None:
        self.engine = engine
        self.ports = {n.removeprefix("PORT_"): v for n, v in engine.file.variables.items() if n.startswith("PORT_")}
        self.password = engine.output("api-server", "cat", "/run/secrets/admin")
        self.api = AirflowApi(self.url("AIRFLOW"), "admin", self.password)

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.ports[service]}"

    def client(self) -> httpx.Client:
        """Of Airflow's API server, logged in."""
        login = {"username": "admin", "password": self.password}
        answer = httpx.post(f"{self.url('AIRFLOW')}/auth/token", json=login, trust_env=False, timeout=60)
        token = answer.raise_for_status().json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=self.url("AIRFLOW"), headers=headers, trust_env=False, timeout=60)

    def secrets(self, service: str) -> dict[str, str]:
        lines = self.engine.output(service, "cat", "/run/secrets/env").splitlines()
        return {name: value.strip("'") for name, _, value in (line.partition("=") for line in lines)}

    def wait_for_dags(self) -> None:
        until(
            lambda: all(self.api.dag(dag) for dag in (PROVISION, INGEST, TRAIN)),
            lambda: f"Airflow lists not all DAGs: {self.api.import_errors()}",
            WAIT_S,
            every_s=LOOK_S,
        )

    def begin(self, dag_id: str) -> str:
        return self.api.run_that_is_due(dag_id) or self.api.trigger(dag_id)

    def task(self, dag_id: str, run_id: str, task_id: str) -> dict[str, Any]:
        return next(task for task in self.api.tasks(dag_id, run_id) if task["task_id"] == task_id)

    def said(self) -> str:
        """All that trainings have printed, in all their tries."""
        return self.engine.output("programs", "sh", "-c", "cat /var/lib/ontap-mlops/workloads/*train*/log || true")

    def contents(self, service: str, folder: str) -> dict[str, str]:
        """Path to digest of every file of a volume as it is now, as this service sees it."""
        look = f"cd {folder} && find -L . -type f -not -path '*/.snapshot/*' -exec sha256sum {{}} +"
        lines = self.engine.output(service, "sh", "-c", look).splitlines()
        return {path: digest for digest, path in (line.split(maxsplit=1) for line in lines)}

    def volumes(self) -> list[str]:
        authority = self.engine.output("ontap", "cat", "/ontap/tls/ca.pem")
        with httpx.Client(
            base_url=f"https://127.0.0.1:{self.ports['ONTAP']}",
            auth=("admin", self.secrets("ontap")["ONTAP_EMULATOR_PASSWORD"]),
            verify=ssl.create_default_context(cadata=authority),
            trust_env=False,
            timeout=60,
        ) as ontap:
            answer = ontap.get("/api/storage/volumes", params={"fields": "name"}).raise_for_status().json()["records"]
            found = [volume["name"] for volume in answer]
            models = next(volume["uuid"] for volume in answer if volume["name"] == "tyre_models")
            snapshots = ontap.get(f"/api/storage/volumes/{models}/snapshots").raise_for_status().json()["records"]
        return sorted([*found, *(s["name"] for s in snapshots if s["name"].startswith("mlops_lease"))])

    def state(self, train: str) -> dict[str, Any]:
        """All that a training is for, and whatever it could have left."""
        summary = self.api.xcom(TRAIN, train, "summary")
        deployed = summary["deployment"]["model_version"]
        champion = httpx.get(
            f"{self.url('MLFLOW')}/api/2.0/mlflow/registered-models/alias",
            params={"name": "tyre", "alias": "champion"},
            trust_env=False,
            timeout=60,
        )
        served = httpx.get(f"{self.url('TRITON')}/v2/models/tyre", trust_env=False, timeout=60)
        number = str(deployed["version"])
        return {
            "content": deployed["dataset_version"]["digest"],
            "metrics": deployed["metrics"],
            "decision": summary["decision"]["decision"],
            "is champion": champion.raise_for_status().json()["model_version"]["version"] == number,
            "is served": served.raise_for_status().json()["versions"] == [number],
            "volumes and claims": self.volumes(),
            "tasks": {t["task_id"]: t["state"] for t in self.api.tasks(TRAIN, train)},
        }

    def said_in(self, dag_id: str, run_id: str) -> Iterator[str]:
        """What tasks of a run show to whoever may look: their rendered fields, their XComs and their logs."""
        for task in self.api.tasks(dag_id, run_id):
            yield json.dumps(task)
            path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task['task_id']}"
            which = {"params": {"map_index": task["map_index"]}, "headers": {"Accept": "application/json"}}
            for entry in self.api.call("GET", f"{path}/xcomEntries", **which)["xcom_entries"]:
                yield json.dumps(self.api.call("GET", f"{path}/xcomEntries/{entry['key']}", **which))
            for number in range(1, task["try_number"] + 1):
                yield json.dumps(self.api.call("GET", f"{path}/logs/{number}", **which))

    def passwords(self) -> set[str]:
        """Every password and key that the services have, those that DAGs have made too."""
        code = (
            "import json\nfrom airflow.models import Connection\nfrom airflow.utils.session import create_session\n"
            "with create_session() as session: print(json.dumps([c.password for c in session.query(Connection)]))"
        )
        kept = json.loads(self.engine.output("scheduler", "python", "-c", code).splitlines()[-1])
        files = ("admin", "fernet", "jwt", "session", "metrics")
        read = [self.engine.output("api-server", "cat", f"/run/secrets/{name}") for name in files]
        env = [text for service in ("dialog", "calls", "documents") for text in self.secrets(service).values()]
        read += [text for text in env if len(text) > 20 and "://" not in text]
        return {text for text in (*read, *kept) if text}


def settings(folder: Path) -> Path:
    """Write the example's into the folder, under another name and on free ports.

    Grafana is left out: nothing that is compared comes from it.
    """
    lines = (ROOT / ".env.example").read_text().splitlines()
    ports = iter(free_ports(sum(line.startswith("PORT_") for line in lines)))
    told = [f"{line.split('=')[0]}={next(ports)}" if line.startswith("PORT_") else line for line in lines]
    told = [f"COMPOSE_PROFILES={PROFILES}" if line.startswith("COMPOSE_PROFILES=") else line for line in told]
    file = folder / "env"
    file.write_text("\n".join([*told, f"COMPOSE_PROJECT_NAME=ontap-mlops-test-{os.getpid()}", ""]))
    return file


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


@contextmanager
def brought_up(told: Path) -> Iterator[World]:
    """The services from nothing; nothing of them is left. Each has to end by itself when it is told to."""
    with engines.find(ComposeFile.load(told, COMPOSE)) as engine:
        try:
            engine.up(READY_S)
            made = World(engine)
            lake.fill(engine, IMAGES)
            made.wait_for_dags()
            yield made
            end(engine)
        finally:
            engine.down(volumes=True)


def end(engine: engines.Engine) -> None:
    """Tell each service to end. AssertionError names those that had to be killed, however slow the machine is."""
    lasting = [service for service in reversed(engine.file.in_order()) if not engine.file.ends(service)]
    for service in lasting:
        engine.stop(service, grace_s=WAIT_S)
    codes = {service: engine.state(service)["ExitCode"] for service in lasting}
    assert [service for service, code in codes.items() if code == KILLED] == [], codes


@contextmanager
def worker_elsewhere(world: World, host: str) -> Iterator[None]:
    """A worker on another host in place of the one here.

    It is alone in a network with the services that it may speak to, and has nothing of this host's disks but secrets,
    configuration and the SVM's namespace; its logs are its own.
    """
    engine, service = world.engine, world.engine.file.services["worker"]
    network = f"{engine.file.project}-elsewhere"
    told = service["environment"] | {"AIRFLOW__LOGGING__BASE_LOG_FOLDER": "/tmp/logs"}
    options = [part for name, value in told.items() for part in ("--env", f"{name}={value}")]
    options += [
        part for volume in service["volumes"] if "logs" not in volume for part in ("--volume", _at(world, volume))
    ]
    hardened = ["--read-only", "--cap-drop", "all", "--tmpfs", "/tmp", *options]
    place = ["--name", network, "--hostname", host, "--network", network, "--network-alias", host]
    needed = ("api-server", "redis", "ontap", "lake", "mlflow", "triton")
    engine.stop("worker")
    engine.ask("network", "create", network)
    try:
        for name in needed:
            engine.ask("network", "connect", "--alias", name, network, engine.container(name))
        engine.ask("run", "--detach", *place, *hardened, service["image"], *service["command"])
        yield
    finally:
        engine.asked("rm", "--force", network)
        for name in needed:  # podman would remove with the network whatever is still in it
            engine.asked("network", "disconnect", network, engine.container(name))
        engine.asked("network", "rm", network)
        engine.start("worker")


def _at(world: World, volume: str) -> str:
    """A volume of the file as ``run`` wants it: those of compose have the project's name, folders their whole path."""
    source, _, rest = volume.partition(":")
    folder = str(ROOT / source) if source.startswith("./") else source
    return f"{folder if folder.startswith('/') else f'{world.engine.file.project}_{source}'}:{rest}"
