"""Airflow's database as this process is told it: SQLite among the quick tests, PostgreSQL in the suite of that name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import REPOSITORY, Emulator


@pytest.fixture(scope="session")
def migrated() -> str:
    """The database at the installed version of Airflow; returns the name of its kind."""
    from airflow import settings
    from airflow.utils.db import initdb

    initdb()
    assert settings.engine
    return settings.engine.dialect.name


@pytest.fixture
def session(migrated: str) -> Iterator[Any]:
    from airflow.utils.session import create_session

    with create_session() as made:
        yield made


@pytest.fixture(scope="module")
def ontap(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """The emulator under ``ontap_default``, and a place ``local`` where its volumes are mounted and programs lie."""
    folder = tmp_path_factory.mktemp("config")
    place = {"kind": "local", "namespace_roots": {"default": str(emulator.namespace)}}
    (folder / "compute.yaml").write_text(json.dumps({"places": {"local": place}}))
    (folder / "programs").symlink_to(REPOSITORY / "examples" / "programs")
    (folder / "tasks").symlink_to(REPOSITORY / "tasks")
    facts = {"host": emulator.host, "port": emulator.port, "login": emulator.user, "password": emulator.password}
    connection = {"conn_type": "ontap", **facts, "extra": {"verify": emulator.ca, "svm": emulator.svm}}
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", json.dumps(connection))
        patched.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(folder))
        patched.setenv("AIRFLOW__ONTAP_MLOPS__PROGRAMS_DIR", str(folder))
        patched.setenv("AIRFLOW__ONTAP_MLOPS__WORKLOADS_DIR", str(folder / "workloads"))
        yield emulator
