"""Connections as rows of Airflow's database: written where there is none, kept current, never a user's own changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

from ontap_mlops.hooks.secret_store import KEYS_DESCRIPTION
from scripts.embedded import connections, environment, ports
from scripts.embedded.layout import ROOT, Layout

S3 = "http://127.0.0.1:9000"
MOVED = "http://127.0.0.1:9001"
REMOTE = "http://127.0.0.1:9200"


@pytest.fixture
def session() -> Iterator[Session]:
    from airflow.models.connection import Connection

    engine = create_engine("sqlite://")
    Connection.__table__.create(engine)
    with Session(engine) as made:
        yield made


def wanted(port: int = 1, password: str = "secret") -> dict[str, dict[str, Any]]:
    ontap = {"conn_type": "ontap", "host": "h", "port": port, "login": "admin", "password": password}
    return {
        "ontap_default": ontap | {"extra": {"verify": "/a b/ca.pem", "svm": "svm1"}},
        "mlflow_default": {"conn_type": "http", "schema": "http", "host": "h", "port": 5},
    }


def row(session: Session, conn_id: str) -> Any:
    from airflow.models.connection import Connection

    return session.scalars(select(Connection).where(Connection.conn_id == conn_id)).one()


@pytest.fixture
def write(session: Session, tmp_path: Path) -> Any:
    def write(facts: dict[str, dict[str, Any]], s3: str = S3) -> list[str]:
        return connections.write(facts, {"ontap": s3, "ontap_remote": REMOTE}, tmp_path / "connections.json", session)

    return write


def test_a_row_is_written_where_there_is_none_and_once(session, write, tmp_path) -> None:
    assert len(write(wanted())) == 2
    made = row(session, "ontap_default")
    assert (made.conn_type, made.host, made.port, made.login, made.password) == ("ontap", "h", 1, "admin", "secret")
    assert made.extra_dejson == {"verify": "/a b/ca.pem", "svm": "svm1"}
    assert write(wanted()) == []
    assert "secret" not in (tmp_path / "connections.json").read_text()


@pytest.mark.parametrize("facts", [wanted(port=2), wanted(password="other")])
def test_a_row_that_is_as_it_was_written_follows(session, write, facts) -> None:
    write(wanted())
    (said,) = write(facts)
    assert said == f"Connection ontap_default now names h:{facts['ontap_default']['port']}."
    made = row(session, "ontap_default")
    assert (made.port, made.password) == (facts["ontap_default"]["port"], facts["ontap_default"]["password"])
    assert write(facts) == [], "and goes on following"


@pytest.mark.parametrize(
    ("name", "value"),
    [("host", "10.0.0.1"), ("port", 8), ("login", "me"), ("password", "mine"), ("extra", '{"svm": "mine"}')],
)
def test_a_row_that_somebody_has_changed_stays(session, write, name, value) -> None:
    write(wanted())
    setattr(row(session, "ontap_default"), name, value)
    session.commit()
    for _ in range(2):
        (said,) = write(wanted(port=2))
        assert said.startswith("Connection ontap_default is somebody's own and stays as it is")
    assert getattr(row(session, "ontap_default"), name) == value


def test_a_row_of_somebody_elses_making_stays(session, write) -> None:
    from airflow.models.connection import Connection

    session.add(Connection(conn_id="ontap_default", conn_type="ontap", host="10.255.255.1"))
    write(wanted())
    write(wanted(port=2))
    assert row(session, "ontap_default").host == "10.255.255.1"


def test_a_row_that_was_removed_is_written_again(session, write) -> None:
    write(wanted())
    session.delete(row(session, "mlflow_default"))
    session.commit()
    assert write(wanted()) == ["Connection mlflow_default is written: h:5."]


def test_a_row_that_was_changed_and_changed_back_is_ours_again(session, write) -> None:
    write(wanted())
    row(session, "ontap_default").host = "elsewhere"
    write(wanted())
    row(session, "ontap_default").host = "h"
    write(wanted())
    write(wanted(port=2))
    assert row(session, "ontap_default").port == 2


def keys(session: Session, conn_id: str, endpoint: str, description: str = KEYS_DESCRIPTION) -> None:
    from airflow.models.connection import Connection

    extra = json.dumps({"endpoint_url": endpoint, "region_name": "r"})
    session.add(Connection(conn_id=conn_id, conn_type="aws", login="AK", extra=extra, description=description))


def test_keys_follow_the_s3_server_when_its_port_moves(session, write) -> None:
    write(wanted())
    keys(session, "ontap_s3", S3)
    keys(session, "ontap_s3_svm2", S3)
    said = write(wanted(), MOVED)
    assert said == [f"Connection {name} now names {MOVED}." for name in ("ontap_s3", "ontap_s3_svm2")]
    assert row(session, "ontap_s3").extra_dejson == {"endpoint_url": MOVED, "region_name": "r"}
    assert row(session, "ontap_s3").login == "AK"


def test_keys_of_one_cluster_stay_where_the_other_one_moves(session, write) -> None:
    write(wanted())
    keys(session, "ontap_s3", S3)
    keys(session, "ontap_s3_ontap_remote", REMOTE)
    assert write(wanted(), MOVED) == [f"Connection ontap_s3 now names {MOVED}."]
    assert row(session, "ontap_s3_ontap_remote").extra_dejson["endpoint_url"] == REMOTE


def test_keys_follow_a_server_that_an_earlier_release_knew_as_the_only_one(session, write, tmp_path) -> None:
    keys(session, "ontap_s3", S3)
    (tmp_path / "connections.json").write_text(json.dumps({"rows": {}, "s3_endpoint": S3}))
    assert f"Connection ontap_s3 now names {MOVED}." in write(wanted(), MOVED)


def test_keys_of_another_server_or_of_somebody_else_stay(session, write) -> None:
    write(wanted())
    keys(session, "ontap_s3", "https://s3.example")
    keys(session, "mine", S3, description="my own")
    assert write(wanted(), MOVED) == []
    assert row(session, "ontap_s3").extra_dejson["endpoint_url"] == "https://s3.example"
    assert row(session, "mine").extra_dejson["endpoint_url"] == S3


def test_programs_beside_airflow_find_the_rows(tmp_path: Path) -> None:
    """As `make versions` and `make preflight` do; with a real database, in the environment that they get."""
    layout = Layout(tmp_path / "a b")
    layout.make()
    chosen, _ = ports.choose(layout, [])
    env = environment.airflow(layout, chosen)
    command = [sys.executable, "-m", "scripts.embedded.database", str(layout.local)]
    subprocess.run(command, env=env, cwd=ROOT, check=True, capture_output=True)
    assert not [name for name in env if name.startswith("AIRFLOW_CONN_")], "a variable would win over a row"
    done = subprocess.run(
        [sys.executable, "-m", "scripts.versions", "--dataset", "tyre_images"], env=env, cwd=ROOT, capture_output=True
    )
    refused = done.stderr.decode()
    assert str(layout.ontap_ca) in refused, f"the row's certificate, which no ONTAP has made: {refused[-2000:]}"
    assert "Traceback" not in refused
    assert "too short" not in refused
    assert os.stat(layout.airflow / "connections.json").st_mode & 0o077 == 0
