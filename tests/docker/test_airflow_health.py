"""What the health check of Airflow's containers says, of a database with Airflow's own table and an HTTP server."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from airflow.jobs.job import Job
from sqlalchemy import create_engine, insert

FILE = Path(__file__).resolve().parents[2] / "docker" / "airflow" / "health.py"
SPEC = importlib.util.spec_from_file_location("airflow_health", FILE)
health = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(health)


@pytest.fixture
def database(tmp_path: Path, monkeypatch) -> Iterator:
    url = f"sqlite:///{tmp_path}/airflow.db"
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", url)
    monkeypatch.delenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD", raising=False)
    monkeypatch.setattr(health, "hostname", lambda: "here")
    engine = create_engine(url)
    Job.__table__.create(engine)

    def beat(kind: str, host: str, age_s: float) -> None:
        at = datetime.now(UTC) - timedelta(seconds=age_s)
        with engine.begin() as connection:
            connection.execute(insert(Job.__table__).values(job_type=kind, hostname=host, latest_heartbeat=at))

    yield beat
    engine.dispose()


@pytest.mark.parametrize(
    ("program", "kind"),
    [("scheduler", "SchedulerJob"), ("triggerer", "TriggererJob"), ("dag-processor", "DagProcessorJob")],
)
def test_a_program_lives_that_wrote_its_heartbeat(database, program: str, kind: str):
    words = ["tini", "--", "airflow", program, "--skip-serve-logs"]
    database(kind, "elsewhere", 0)
    assert health.ask(words) == f"no {kind} of here has a heartbeat in Airflow's database"
    database(kind, "here", 1000)
    assert "s old" in health.ask(words)
    database(kind, "here", 0)
    assert health.ask(words) == ""


def test_it_looks_for_the_name_that_airflow_writes():
    from airflow.utils.net import getfqdn

    assert health.hostname() == getfqdn()


def test_a_database_that_is_away_is_told(database, monkeypatch):
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "sqlite:////nowhere/airflow.db")
    assert "unable to open database" in health.ask(["airflow", "scheduler"])


def test_a_setting_may_be_the_output_of_a_command(database, monkeypatch, tmp_path: Path):
    monkeypatch.delenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN")
    (tmp_path / "url").write_text(f"sqlite:///{tmp_path}/airflow.db\n")
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD", f"cat {tmp_path}/url")
    database("SchedulerJob", "here", 0)
    assert health.ask(["airflow", "scheduler"]) == ""


def test_the_api_server_is_asked_over_http(monkeypatch):
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/api/v2/version" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("AIRFLOW__API__PORT", str(server.server_port))
        assert health.ask(["tini", "--", "airflow", "api-server"]) == ""
        server.shutdown()
        thread.join()
    assert "URLError" in health.ask(["airflow", "api-server"])


def test_a_command_that_ends_by_itself_is_no_trouble():
    assert health.ask(["tini", "--", "airflow", "db", "migrate"]) == ""


def test_the_exit_code_tells(monkeypatch, capsys):
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "sqlite:////nowhere/airflow.db")
    assert health.main(["airflow", "triggerer"]) == 1
    assert "unable to open database" in capsys.readouterr().err
    assert health.main(["airflow", "version"]) == 0
