"""What the services' processes find in their environment: Airflow's configuration, connections, the product's knobs."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from scripts.embedded import secrets
from scripts.embedded.layout import ROOT, Layout, authorities, namespace_of, sqlite_url

HOST = "127.0.0.1"
ADMIN = "admin"
SVM = "svm1"
REMOTE_SVM, REMOTE_CLUSTER = "svm_remote", "emulator_remote"
REGION = "us-east-1"
LOG_FORMAT = "ONTAP_MLOPS_LOG_FORMAT"
# The caller's own Airflow, MLflow or cloud account must not leak into the services, nor his dry-run into ours.
FOREIGN = ("AIRFLOW", "MLFLOW_", "AWS_", "NANIO_", "ONTAP_", "PYTHONPATH", "VIRTUAL_ENV")
KEPT = ("AWS_CA_BUNDLE",)


def clean() -> dict[str, str]:
    """Return the caller's environment without what would change a service; our programs come first in PATH."""
    env = {k: v for k, v in os.environ.items() if k in KEPT or not k.startswith(FOREIGN)}
    env["PATH"] = f"{Path(sys.executable).parent}:{env.get('PATH', os.defpath)}"
    env["PYTHONUNBUFFERED"] = "1"
    env["SPT_NOENV"] = "1"  # processes that change their title keep their environment readable: see supervisor.members
    for name in ("no_proxy", "NO_PROXY"):  # a company's proxy is not asked for services of this machine
        env[name] = ",".join(filter(None, (env.get(name), HOST, "localhost")))
    return env


def log_format(layout: Layout) -> str:
    """Return ``json`` or ``text``: the one switch for Airflow's logs and those of our own services."""
    return layout.settings().get(LOG_FORMAT) or "text"


def plain_python() -> str:
    """Return our interpreter by a path without ``%``: MLflow reads one in its own path as a placeholder and ends."""
    if "%" not in sys.executable:
        return sys.executable
    folder = Path(tempfile.gettempdir()) / f"ontap-mlops-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise SystemExit(f"{folder} belongs to another user; set TMPDIR to a folder of your own.")
    link = folder / f"python-{hashlib.sha256(sys.prefix.encode()).hexdigest()[:16]}"
    with contextlib.suppress(FileExistsError):
        link.symlink_to(sys.prefix)
    return str(link / "bin" / Path(sys.executable).name)


def airflow(layout: Layout, ports: dict[str, int]) -> dict[str, str]:
    """Return everything that Airflow's processes and its command line need to work on these services."""
    config = {
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__PARALLELISM": "6",
        "CORE__DAGS_FOLDER": ROOT / "dags",
        "CORE__PLUGINS_FOLDER": ROOT / "plugins",
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__TEST_CONNECTION": "Enabled",
        "CORE__FERNET_KEY": secrets.get(layout, secrets.AIRFLOW_FERNET),
        "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{ADMIN}:admin",
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": layout.airflow / "passwords.json",
        "CORE__EXECUTION_API_SERVER_URL": f"http://{HOST}:{ports['airflow']}/execution/",
        # Looking up the machine's full name can take seconds where no name server answers.
        "CORE__HOSTNAME_CALLABLE": "socket.gethostname",
        # Seconds to wait for another process's write; after the usual 5, `airflow backfill` gives up half-way.
        "DATABASE__SQL_ALCHEMY_CONN": sqlite_url(layout.airflow / "airflow.db", timeout="60"),
        "API__HOST": HOST,
        "API__PORT": ports["airflow"],
        "API__BASE_URL": f"http://{HOST}:{ports['airflow']}",
        "API__WORKERS": "1",
        "API__SECRET_KEY": secrets.get(layout, secrets.AIRFLOW_SESSION),
        "API_AUTH__JWT_SECRET": secrets.get(layout, secrets.AIRFLOW_JWT),
        "LOGGING__BASE_LOG_FOLDER": layout.airflow / "logs",
        "USAGE_DATA_COLLECTION__ENABLED": "False",
        # A new DAG file is seen in seconds; an unchanged one is not parsed again and again on two cores.
        "DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "120",
        # On a busy machine the API server may need longer for an answer than Airflow's 5 seconds.
        "WORKERS__EXECUTION_API_TIMEOUT": "60",
        # Seconds before another try, in place of 300: somebody is watching.
        "CORE__DEFAULT_TASK_RETRY_DELAY": "10",
        # A worker that dies without a word is noticed within about 25 seconds, and its task tried again.
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
        "SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "20",
        # Seconds between looks for work, in place of 1: a run of twenty short tasks waits for each look.
        "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "15",
        "ONTAP_MLOPS__CONFIG_DIR": ROOT / "config",
        "ONTAP_MLOPS__PROGRAMS_DIR": ROOT,
        "ONTAP_MLOPS__WORKLOADS_DIR": layout.workloads,
        "ONTAP_MLOPS__CODE_COMMIT": code_commit(),
        "ONTAP_MLOPS__HUB_NAMESPACE_ROOTS": f"{SVM}={layout.namespace / SVM}",
        "LOGGING__JSON_LOGS": log_format(layout) == "json",
        "ONTAP_MLOPS__USE_POOLS": "True",  # made with the database: see database.py
    }
    return {
        **clean(),
        "AIRFLOW_HOME": str(layout.airflow),
        "PYTHONPATH": str(ROOT / "docker" / "airflow" / "config"),
        # Airflow's own use of a library would else be remarked on in every task's log.
        "PYTHONWARNINGS": "ignore:GitWildMatchPattern:DeprecationWarning",
        **{f"AIRFLOW__{name}": str(value) for name, value in config.items()},
        "ONTAP_MLOPS_LOCAL": str(layout.local),
        "ONTAP_MLOPS_NAMESPACE_ROOT": str(layout.namespace / SVM),
        "ONTAP_MLOPS_REMOTE_NAMESPACE_ROOT": str(namespace_of(layout.ontap_remote) / REMOTE_SVM),
        **{k: v for k, v in layout.settings().items() if k.startswith(("AIRFLOW", "ONTAP_MLOPS"))},
    }


def connections(layout: Layout, ports: dict[str, int]) -> dict[str, dict[str, Any]]:
    """Return what the rows of Airflow's database say, by id; see connections.py.

    ``ontap_s3`` and its like of the second site are missing on purpose: DAGs make those keys.
    """
    return {
        "ontap_default": {
            "conn_type": "ontap",
            "host": HOST,
            "port": ports["ontap"],
            "login": ADMIN,
            "password": secrets.get(layout, secrets.ONTAP_ADMIN),
            "extra": {"verify": str(layout.ontap_ca), "svm": SVM},
        },
        "ontap_remote": {
            "conn_type": "ontap",
            "host": HOST,
            "port": ports["ontap_remote"],
            "login": ADMIN,
            "password": secrets.get(layout, secrets.ONTAP_REMOTE_ADMIN),
            "extra": {"verify": str(authorities(layout.ontap_remote)), "svm": REMOTE_SVM},
        },
        "aws_default": {
            "conn_type": "aws",
            "login": secrets.get(layout, secrets.LAKE_ACCESS_KEY),
            "password": secrets.get(layout, secrets.LAKE_SECRET_KEY),
            "extra": {
                "endpoint_url": f"http://{HOST}:{ports['lake']}",
                "region_name": REGION,
                "config_kwargs": {"s3": {"addressing_style": "path"}},
            },
        },
        "mlflow_default": {"conn_type": "http", "schema": "http", "host": HOST, "port": ports["mlflow"]},
        "inference_default": {
            "conn_type": "http",
            "schema": "http",
            "host": HOST,
            "port": ports["triton_http"],
            "extra": {"token": secrets.get(layout, secrets.TRITON_CONTROL)},
        },
        "dialog_default": {
            "conn_type": "http",
            "schema": "http",
            "host": HOST,
            "port": ports["dialog"],
            "password": secrets.get(layout, secrets.DIALOG_EXPORT),
        },
        "calls_default": {
            "conn_type": "http",
            "schema": "http",
            "host": HOST,
            "port": ports["calls"],
            "password": secrets.get(layout, secrets.CALLS),
        },
        "documents_default": {
            "conn_type": "http",
            "schema": "http",
            "host": HOST,
            "port": ports["documents"],
            "password": secrets.get(layout, secrets.DOCUMENTS),
        },
        "airflow_api": {
            "conn_type": "http",
            "schema": "http",
            "host": HOST,
            "port": ports["airflow"],
            "login": ADMIN,
            "password": secrets.get(layout, secrets.AIRFLOW_ADMIN),
        },
    }


def s3_endpoints(ports: dict[str, int]) -> dict[str, str]:
    """Return the addresses of both clusters' S3 servers, as the emulator gives them to clients, by service."""
    return {name: f"http://{HOST}:{ports[f'{name}_s3']}" for name in ("ontap", "ontap_remote")}


def connections_digest(layout: Layout, ports: dict[str, int]) -> str:
    """Changes with what the rows are to say."""
    facts = json.dumps([connections(layout, ports), s3_endpoints(ports)], sort_keys=True)
    return hashlib.sha256(facts.encode()).hexdigest()


def code_commit() -> str:
    """Return the checked-out commit, ``-dirty`` appended when tracked files differ; ``unknown`` outside a checkout."""
    done = subprocess.run(["git", "-C", ROOT, "rev-parse", "HEAD"], capture_output=True, text=True)
    if done.returncode:
        return "unknown"
    changed = subprocess.run(["git", "-C", ROOT, "diff-index", "--quiet", "HEAD", "--"], capture_output=True)
    return done.stdout.strip() + ("-dirty" if changed.returncode else "")
