"""Airflow's database at the installed version, with a pool for each place and a connection to each service.

    python -m scripts.composed.airflow_database FOLDER

``FOLDER`` remembers which connections are as they were written: one that somebody has changed stays.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from scripts.embedded import connections
from scripts.embedded.database import migrate

SECRETS = Path("/run/secrets")
REGION = "us-east-1"
TALKED_TO = {"dialog": 8600, "calls": 8650, "documents": 8660}
"""Services that people talk to, with their ports."""


def main(folder: Path) -> None:
    from airflow.utils.session import create_session

    migrate()
    secrets = json.loads((SECRETS / "connections.json").read_text())
    with create_session() as session:
        for sentence in connections.write(wanted(secrets, dict(os.environ)), {}, folder / "connections.json", session):
            print(sentence, flush=True)


def wanted(secrets: dict[str, str], environment: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Return what the rows say, by id. ``environment`` names the ONTAP, which need not be the emulator.

    Those that lead to services of profiles are there at any time; a DAG says who does not answer. ``ontap_s3`` is
    missing on purpose: DAGs make those keys.
    """
    people = {name: _talked_to(name, port, secrets[name]) for name, port in TALKED_TO.items()}
    return {
        "ontap_default": {
            "conn_type": "ontap",
            "host": environment["ONTAP_HOST"],
            "port": int(environment["ONTAP_PORT"]),
            "login": environment["ONTAP_USER"],
            "password": secrets["ontap"],
            "extra": {"verify": _verify(environment["ONTAP_CA"]), "svm": environment["ONTAP_SVM"]},
        },
        "ontap_remote": {
            "conn_type": "ontap",
            "host": "ontap-remote",
            "port": 8443,
            "login": "admin",
            "password": secrets["ontap_remote"],
            "extra": {"verify": "/ontap_remote/tls/ca.pem", "svm": "svm_remote"},
        },
        "aws_default": {
            "conn_type": "aws",
            "login": secrets["lake_access"],
            "password": secrets["lake_secret"],
            "extra": {
                "endpoint_url": "http://lake:9000",
                "region_name": REGION,
                "config_kwargs": {"s3": {"addressing_style": "path"}},
            },
        },
        "mlflow_default": {"conn_type": "http", "schema": "http", "host": "mlflow", "port": 5000},
        "inference_default": {
            "conn_type": "http",
            "schema": "http",
            "host": "triton",
            "port": 8000,
            "extra": {"token": secrets["triton"]},
        },
        "airflow_api": {
            "conn_type": "http",
            "schema": "http",
            "host": "api-server",
            "port": 8080,
            "login": "admin",
            "password": secrets["airflow"],
        },
        **{f"{name}_default": row for name, row in people.items()},
    }


def _talked_to(name: str, port: int, token: str) -> dict[str, Any]:
    return {"conn_type": "http", "schema": "http", "host": name, "port": port, "password": token}


def _verify(authority: str) -> bool | str:
    """The path of an authority's certificate, or ``true`` for those that everybody knows."""
    return True if authority.lower() == "true" else authority


if __name__ == "__main__":
    main(Path(sys.argv[1]))
