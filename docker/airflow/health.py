"""Tell whether an Airflow program of this container lives; exit code 0 when it does.

Which one it is, the arguments say or, without any, process 1 (``airflow scheduler``, ``airflow celery worker``). The
API server is asked over HTTP, a Celery worker by a ping through its broker, and the others by the heartbeat that they
write into Airflow's database. Airflow's own commands for that take seconds of processor time each.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import socket
import subprocess
import sys
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

TIMEOUT_S = 5
JOBS = {"scheduler": "SchedulerJob", "triggerer": "TriggererJob", "dag-processor": "DagProcessorJob"}
# Airflow's own defaults are 30 s for scheduler and triggerer and 50 s for the DAG processor.
STALE_S = 60


def main(words: list[str]) -> int:
    words = words or Path("/proc/1/cmdline").read_bytes().decode().replace("\0", " ").split()
    trouble = ask(words)
    if trouble:
        print(trouble, file=sys.stderr)
    return int(bool(trouble))


def ask(words: list[str]) -> str:
    """Return what is wrong with the program of this command line, or an empty text."""
    try:
        if "api-server" in words:
            return api_server()
        if "celery" in words and "worker" in words:
            return worker(socket.gethostname())  # Celery's own choice
        kind = next((JOBS[word] for word in words if word in JOBS), None)
        return heartbeat(kind, hostname()) if kind else ""
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def hostname() -> str:
    """Return the name under which Airflow knows this container: a name server's, unless it is told otherwise."""
    name = socket.gethostname()
    if os.environ.get("AIRFLOW__CORE__HOSTNAME_CALLABLE") == "socket.gethostname":
        return name
    with contextlib.suppress(OSError):
        found = socket.getaddrinfo(name, None, type=socket.SOCK_DGRAM, flags=socket.AI_CANONNAME)
        return next((canonical for *_, canonical, _ in found if canonical), name)
    return name


def api_server() -> str:
    port = os.environ.get("AIRFLOW__API__PORT", "8080")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{port}/api/v2/version", timeout=TIMEOUT_S):
        return ""


def worker(host: str) -> str:
    from celery import Celery

    with Celery(broker=setting("CELERY__BROKER_URL")) as app:
        answers = app.control.ping(destination=[f"celery@{host}"], timeout=TIMEOUT_S)
    return "" if answers else f"the Celery worker celery@{host} does not answer a ping through its broker"


def heartbeat(kind: str, host: str) -> str:
    from sqlalchemy import create_engine, text

    newest = text("SELECT max(latest_heartbeat) FROM job WHERE job_type = :kind AND hostname = :host")
    with create_engine(setting("DATABASE__SQL_ALCHEMY_CONN")).connect() as connection:
        at = connection.execute(newest, {"kind": kind, "host": host}).scalar()
    if at is None:
        return f"no {kind} of {host} has a heartbeat in Airflow's database"
    if isinstance(at, str):  # SQLite has no type for times
        at = datetime.fromisoformat(at)
    age = (datetime.now(UTC) - (at if at.tzinfo else at.replace(tzinfo=UTC))).total_seconds()
    return f"the last heartbeat of the {kind} of {host} is {age:.0f} s old" if age > STALE_S else ""


def setting(name: str) -> str:
    """Return a setting of Airflow as its environment has it: the value, or the output of the command that tells it."""
    if command := os.environ.get(f"AIRFLOW__{name}_CMD"):
        return subprocess.run(shlex.split(command), capture_output=True, text=True, check=True).stdout.strip()
    return os.environ[f"AIRFLOW__{name}"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
