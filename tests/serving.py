"""Real services for tests: MLflow, and Triton from ``.venv-triton``. A conftest imports the fixtures it wants."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TRITON_VENV = Path(os.environ.get("TRITON_VENV") or ROOT / ".venv-triton")
NO_TRITON = f"no Triton environment at {TRITON_VENV}: `make environment` makes it, or set TRITON_VENV to one"


def free_ports(count: int) -> list[int]:
    """Ports below those that the kernel gives to connections, so that none is gone before its service listens."""
    found: list[int] = []
    while len(found) < count:
        port = random.SystemRandom().randrange(10_000, 20_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found += [port] if port not in found else []
    return found


def connection(port: int) -> str:
    """An Airflow connection as the text of an AIRFLOW_CONN_ variable."""
    return json.dumps({"conn_type": "http", "host": "127.0.0.1", "port": port})


def wait_for(url: str, process: subprocess.Popen, log: Path, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while True:
        with contextlib.suppress(OSError, urllib.error.URLError):
            return urllib.request.urlopen(url, timeout=5).close()
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{url} does not answer:\n{log.read_text()[-3000:]}")
        time.sleep(0.1)


class TritonServer:
    """serve.py over ``repository``; may be started, stopped and started again on the same ports."""

    def __init__(self, repository: Path, folder: Path, *arguments: str) -> None:
        self.repository, self.log, self.arguments = repository, folder / "triton.log", arguments
        self.http, self.grpc, self.metrics = free_ports(3)
        self.url = f"http://127.0.0.1:{self.http}"
        self.process: subprocess.Popen | None = None

    def start(self, wait: bool = True) -> None:
        command = [sys.executable, str(ROOT / "docker/triton/serve.py"), f"--venv={TRITON_VENV}"]
        command += [f"--repository={self.repository}", *self.arguments]
        command += [f"--http-port={self.http}", f"--grpc-port={self.grpc}", f"--metrics-port={self.metrics}"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        if wait:
            wait_for(f"{self.url}/v2/health/ready", self.process, self.log, 180)

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(90)

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None


@contextlib.contextmanager
def triton_over(folder: Path) -> Iterator[TritonServer]:
    """A server that is not started yet, over ``folder/triton``."""
    if not (TRITON_VENV / "bin" / "python").exists():
        pytest.skip(NO_TRITON)
    (folder / "triton").mkdir()
    server = TritonServer(folder / "triton", folder)
    try:
        yield server
    finally:
        if server.running:
            server.stop()


@pytest.fixture
def triton(tmp_path: Path) -> Iterator[TritonServer]:
    """A server of the test's own, not started yet."""
    with triton_over(tmp_path) as server:
        yield server


@pytest.fixture(scope="module")
def running_triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonServer]:
    """A server for all tests of a file, which serve models of their own names."""
    with triton_over(tmp_path_factory.mktemp("triton")) as server:
        server.start()
        yield server


@pytest.fixture(scope="session")
def mlflow_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A real MLflow server on SQLite."""
    folder, (port,) = tmp_path_factory.mktemp("mlflow"), free_ports(1)
    command = [sys.executable, "-m", "mlflow", "server", "--host=127.0.0.1", f"--port={port}", "--workers=1"]
    command += [f"--backend-store-uri=sqlite:///{folder}/mlflow.db", f"--artifacts-destination={folder}/artifacts"]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_for(f"http://127.0.0.1:{port}/health", process, folder / "log", 180)
        yield port
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(90)


@pytest.fixture
def mlflow_connection(mlflow_port: int, monkeypatch: pytest.MonkeyPatch) -> str:
    """``mlflow_default`` leads to the server; its address is returned."""
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", connection(mlflow_port))
    return f"http://127.0.0.1:{mlflow_port}"
