"""Airflow's local settings: a nested transaction on SQLite waits for its turn, and retries come soon."""

from __future__ import annotations

import os
import runpy
import sqlite3
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
from airflow.sdk import DAG
from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from ontap_mlops.operators.volumes import OntapVolumeEnsureOperator

SETTINGS = Path(__file__).resolve().parents[2] / "docker" / "airflow" / "config" / "airflow_local_settings.py"


@pytest.fixture
def busy_database(tmp_path):
    """Another process's writes, every few milliseconds."""
    path, stop = tmp_path / "airflow.db", threading.Event()
    engine = create_engine(f"sqlite:///{path}?timeout=60")
    event.listen(engine, "connect", lambda connection, record: connection.execute("PRAGMA journal_mode=WAL"))
    with engine.begin() as connection:
        connection.execute(text("create table runs (id int)"))

    def write():
        other = sqlite3.connect(path, timeout=60)
        while not stop.is_set():
            other.execute("insert into runs values (1)")
            other.commit()
            time.sleep(0.003)
        other.close()

    writer = threading.Thread(target=write)
    writer.start()
    yield engine
    stop.set()
    writer.join()


def read_then_write(engine) -> None:
    with Session(engine) as session:
        with session.begin_nested():
            session.execute(text("select count(*) from runs")).all()
            time.sleep(0.02)
            session.execute(text("insert into runs values (2)"))
        session.commit()


def test_without_the_settings_a_busy_database_refuses(busy_database):
    with pytest.raises(OperationalError, match="database is locked"):
        for _ in range(500):
            read_then_write(busy_database)


def test_with_them_it_waits_its_turn(busy_database):
    listener = runpy.run_path(str(SETTINGS))["take_the_write_lock_first"]
    try:
        for _ in range(20):
            read_then_write(busy_database)
    finally:
        event.remove(Engine, "savepoint", listener)


@pytest.mark.parametrize("mapped", [False, True])
def test_the_first_retry_of_any_task_comes_when_these_services_say(mapped, monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY", "3")
    settings = {"task_id": "volume", "size_bytes": 1, "junction_path": "/v", "comment": "c"}
    with DAG("d"):
        one = OntapVolumeEnsureOperator(**settings | {"task_id": "one"}, volume="v")
        many = OntapVolumeEnsureOperator.partial(**settings).expand(volume=["v", "w"])
    task = many if mapped else one
    assert task.retry_delay == timedelta(seconds=30), "its own"
    local = runpy.run_path(str(SETTINGS))
    event.remove(Engine, "savepoint", local["take_the_write_lock_first"])
    local["task_policy"](task)
    assert task.retry_delay == timedelta(seconds=3)


@pytest.mark.parametrize(
    ("component", "imported"), [("scheduler", True), ("dag-processor", True), ("triggerer", False)]
)
def test_what_forks_tasks_and_looks_at_dag_files_has_their_imports_done(component, imported, tmp_path):
    """Else each task, and each look at a file, imports them anew."""
    asked = ("ontap_mlops.pipelines", "netapp_ontap", "airflow.providers.amazon.aws.assets.s3")
    program = f"import airflow.settings, sys; print([name in sys.modules for name in {asked}])"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW__")},
        "AIRFLOW_HOME": str(tmp_path),
        "PYTHONPATH": os.pathsep.join([str(SETTINGS.parent), str(SETTINGS.parents[3] / "plugins")]),
    }
    told = [sys.executable, "-c", f"import airflow; {program}", component]
    done = subprocess.run(told, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[-2] == str([imported] * 3)
