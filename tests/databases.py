"""A database of its own for each Airflow that tests start: on PostgreSQL where the suite runs on it, else SQLite's."""

from __future__ import annotations

import os
import re

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

SERVER = "ONTAP_MLOPS_TEST_POSTGRESQL"  # set by scripts/tests.py: a URL of a server on which databases may be made


def settings(name: str) -> dict[str, str]:
    """Return what Airflow's environment needs for a new, empty database of this name; nothing for its own SQLite."""
    server = os.environ.get(SERVER)
    if not server:
        return {}
    assert re.fullmatch(r"[a-z_]+", name), name
    with create_engine(server, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        connection.execute(text(f"CREATE DATABASE {name}"))
    url = make_url(server).set(database=name).render_as_string(hide_password=False)
    return {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url}
