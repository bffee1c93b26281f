"""The emulator as a real process, over HTTPS with its own certificate authority, for every test that needs an ONTAP."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from tests.serving import mlflow_connection, mlflow_port  # noqa: F401 - fixtures, defined once so that there is one server

REPOSITORY = Path(__file__).resolve().parent.parent
os.environ |= {
    "AIRFLOW__ONTAP_MLOPS__CONFIG_DIR": str(REPOSITORY / "config"),
    "AIRFLOW__ONTAP_MLOPS__PROGRAMS_DIR": str(REPOSITORY),
}
START_TIMEOUT_S = 120
STOP_TIMEOUT_S = 60


class Emulator:
    """One ``python -m emulator`` on a folder, which outlives the process: ``kill`` and ``start`` again at will."""

    user = "admin"
    host = "127.0.0.1"

    def __init__(self, root: Path, *arguments: str, password: str = "emulator-test") -> None:
        self.root = root
        self.password = password
        self.arguments = arguments
        self.process: subprocess.Popen[bytes] | None = None
        self.port = 0
        self.url = ""
        self.s3_url = ""
        self.intercluster_ip = ""
        self.svm = arguments[arguments.index("--svm") + 1] if "--svm" in arguments else "svm1"
        """The first SVM."""
        self.ca: str | None = None

    def start(self) -> Emulator:
        (self.root / "endpoint.json").unlink(missing_ok=True)
        self.root.mkdir(parents=True, exist_ok=True)
        environment = os.environ | {"ONTAP_EMULATOR_PASSWORD": self.password}
        # The port of the first start is kept, so that clients find the emulator again after a kill.
        # A test counts its own snapshots and transfers, at whatever time of the hour it runs.
        quiet = "--no-schedules"
        command = [sys.executable, "-m", "emulator", quiet, "--root", str(self.root), "--port", str(self.port)]
        if self.s3_url:
            command += ["--s3-port", self.s3_url.rsplit(":", 1)[1]]
        with (self.root.parent / f"{self.root.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, *self.arguments], cwd=REPOSITORY, env=environment, stdout=log, stderr=log
            )
        self._wait_until_ready()
        return self

    def _wait_until_ready(self) -> None:
        assert self.process
        deadline = time.monotonic() + START_TIMEOUT_S
        while not (self.root / "endpoint.json").exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the emulator did not start:\n{self.log}")
            time.sleep(0.02)
        endpoint = json.loads((self.root / "endpoint.json").read_text())
        self.url, self.s3_url, self.ca = endpoint["rest_url"], endpoint["s3_url"], endpoint["ca"]
        self.port = int(self.url.rsplit(":", 1)[1])
        self.intercluster_ip = endpoint["intercluster_ip"]

    @property
    def log(self) -> str:
        return (self.root.parent / f"{self.root.name}.log").read_text()

    @property
    def namespace(self) -> Path:
        """The first SVM's namespace, as an NFS client sees it mounted."""
        return self.root / "namespace" / self.svm

    def password_of(self, user: str) -> str:
        """The administrator's, or the one that was made for another account that is there from the start."""
        return self.password if user == self.user else (self.root / "passwords" / user).read_text().strip()

    def client(self, user: str | None = None, password: str | None = None) -> httpx.Client:
        import ssl

        verify = ssl.create_default_context(cafile=self.ca) if self.ca else True
        credentials = (user or self.user, password or self.password_of(user or self.user))
        return httpx.Client(base_url=self.url, auth=credentials, verify=verify, timeout=130)

    def control(self, method: str, path: str, json: Any = None) -> Any:
        """Steer the emulator: ``control("PUT", "/jobs", {"mode": "reads", "value": 3})``."""
        with self.client() as client:
            answer = client.request(method, f"/emulator{path}", json=json)
            answer.raise_for_status()
            return answer.json()

    def reset(self) -> None:
        """Back to the first state, with the accounts and roles of the start and no other."""
        self.control("POST", "/reset", {"accounts": True})

    def stop(self) -> int:
        """Ask it to stop; its exit code."""
        assert self.process
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_TIMEOUT_S)

    def kill(self) -> None:
        assert self.process
        self.process.kill()
        self.process.wait(STOP_TIMEOUT_S)

    def close(self) -> None:
        if self.process and self.process.poll() is None:
            self.kill()


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """Shared by all tests; whoever changes its clock or its jobs puts them back, and names things of its own."""
    running = Emulator(tmp_path_factory.mktemp("emulator") / "root").start()
    yield running
    running.close()


@pytest.fixture(scope="session")
def other_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """A second cluster, `there` with the SVM `svm2`, shared as the first one is."""
    folder = tmp_path_factory.mktemp("other_emulator")
    running = Emulator(folder / "root", "--cluster", "there", "--svm", "svm2").start()
    yield running
    running.close()


def unpeer(*emulators: Emulator) -> None:
    """Forget every peer of these clusters, also where mirrors or caches use it: they are emptied."""
    for each in emulators:
        each.reset()


def peer(here: Emulator, there: Emulator, applications: tuple[str, ...] = ("snapmirror", "flexcache")) -> None:
    """Make the two clusters and their first SVMs peers of each other; neither may have peers."""
    with here.client() as one, there.client() as other:
        offer = {"remote": {"ip_addresses": [there.intercluster_ip]}, "authentication": {"generate_passphrase": True}}
        made = one.post("/api/cluster/peers", json=offer).raise_for_status().json()["records"][0]
        passphrase = made["authentication"]["passphrase"]
        taken = {"remote": {"ip_addresses": [here.intercluster_ip]}, "authentication": {"passphrase": passphrase}}
        taken["initial_allowed_svms"] = [{"name": there.svm}]
        known = other.post("/api/cluster/peers", json=taken).raise_for_status().json()["records"][0]
        cluster = one.get("/api/cluster/peers", params={"uuid": made["uuid"]}).json()["records"][0]["name"]
        assert known["authentication"]["state"] == "ok", known
        svms = {"svm": {"name": here.svm}, "peer": {"svm": {"name": there.svm}, "cluster": {"name": cluster}}}
        one.post("/api/svm/peers", json={**svms, "applications": list(applications)}).raise_for_status()


class Pair(NamedTuple):
    """Two peered clusters: data lives `here`, and is mirrored and cached `there`."""

    here: Emulator
    there: Emulator


@pytest.fixture
def peered(emulator: Emulator, other_emulator: Emulator) -> Iterator[Pair]:
    """Both emptied before and after, the clusters and their SVMs `svm1` and `svm2` peered for mirrors and caches."""
    unpeer(emulator, other_emulator)
    peer(emulator, other_emulator)
    yield Pair(emulator, other_emulator)
    unpeer(emulator, other_emulator)


@pytest.fixture
def fresh_emulator(tmp_path: Path) -> Iterator[Emulator]:
    """One's own, to kill and to steer."""
    running = Emulator(tmp_path / "ontap").start()
    yield running
    running.close()
