"""An Airflow of a test's own: database, runs of a few DAGs, and the real API server with two users."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
from pathlib import Path

import httpx

from tests.serving import free_ports, wait_for

HERE = Path(__file__).parent
START_S = 600


class AirflowHere:
    """``passwords`` are those of ``admin`` and of ``viewer``, who may only look."""

    def __init__(self, home: Path, variables: dict[str, str]) -> None:
        self.home = home
        (self.port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"
        self.passwords = {name: secrets.token_hex(8) for name in ("admin", "viewer")}
        self.lineage = home / "lineage.jsonl"
        self.said = ""
        """What was logged when the DAGs ran."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "_AIRFLOW", "MLFLOW_"))}
        self.variables = kept | self._config() | variables | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        self.process: subprocess.Popen[bytes] | None = None

    def _config(self) -> dict[str, str]:
        passwords = self.home / "passwords.json"
        passwords.write_text(json.dumps(self.passwords))
        values = {
            "CORE__DAGS_FOLDER": HERE / "watched_dags",
            "CORE__LOAD_EXAMPLES": "False",
            "CORE__FERNET_KEY": "",
            "CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,viewer:viewer",
            "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": passwords,
            "CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "CORE__HOSTNAME_CALLABLE": "socket.gethostname",
            "LOGGING__JSON_LOGS": "True",
            "API__BASE_URL": self.url,
            "API__WORKERS": "1",
            "API__SECRET_KEY": secrets.token_hex(16),
            "API_AUTH__JWT_SECRET": secrets.token_hex(16),
            "USAGE_DATA_COLLECTION__ENABLED": "False",
            "OPENLINEAGE__TRANSPORT": json.dumps({"type": "file", "log_file_path": str(self.lineage), "append": True}),
            "OPENLINEAGE__NAMESPACE": "watched",
        }
        return {"AIRFLOW_HOME": str(self.home)} | {f"AIRFLOW__{name}": str(value) for name, value in values.items()}

    def run_dags(self) -> dict[str, str]:
        """Make the database and run the DAGs once; the state of each run."""
        command = [
            sys.executable,
            str(HERE / "run_watched_dags.py"),
            str(HERE / "watched_dags"),
            str(self.home / "results.json"),
        ]
        done = subprocess.run(command, env=self.variables, capture_output=True, text=True, timeout=START_S)
        assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
        self.said = done.stdout + done.stderr
        return json.loads((self.home / "results.json").read_text())

    def start(self) -> None:
        log = self.home / "api-server.log"
        command = [sys.executable, "-m", "airflow", "api-server", "--host", "127.0.0.1", "--port", str(self.port)]
        with log.open("wb") as out:
            self.process = subprocess.Popen(command, env=self.variables, stdout=out, stderr=out, start_new_session=True)
        wait_for(f"{self.url}/api/v2/version", self.process, log, START_S)

    def stop(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:  # it waits for connections that browsers have left open
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait(60)

    def client(self, user: str | None = None) -> httpx.Client:
        """Of the API, logged in or, without a user, not."""
        headers = {}
        if user is not None:
            login = {"username": user, "password": self.passwords[user]}
            answer = httpx.post(f"{self.url}/auth/token", json=login, trust_env=False, timeout=60)
            headers["Authorization"] = f"Bearer {answer.raise_for_status().json()['access_token']}"
        return httpx.Client(base_url=self.url, headers=headers, trust_env=False, timeout=60)

    def connection(self, user: str = "viewer") -> str:
        """``airflow_api`` of a user, as the text of an AIRFLOW_CONN_ variable."""
        facts = {"conn_type": "http", "host": "127.0.0.1", "port": self.port}
        return json.dumps({**facts, "login": user, "password": self.passwords[user]})
