"""Snapshots taken by hand are events of a watched asset in Airflow's own triggerer, each once, also over its death."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from ontap_mlops.triggers.watching import STORED_AFTER_S
from tests import databases
from tests.conftest import REPOSITORY, Emulator

pytestmark = [pytest.mark.journey, pytest.mark.timeout(900)]

VOLUME, PAGE = (
    "watched_by_hand",
    """
from airflow.sdk import DAG, task

from ontap_mlops import assets, registry

DATASET = registry.as_dataset(
    {
        "name": "watched",
        "source": "s3://lake/watched/",
        "volume": "watched_by_hand",
        "watch": {"adopt": "weekly.*", "every_s": 5},
    }
)

with DAG(dag_id="on_snapshot", schedule=[assets.dataset_asset(DATASET)]):

    @task
    def look(triggering_asset_events=None):
        return [assets.told(event) for events in triggering_asset_events.values() for event in events]

    look()
""",
)


class Airflow:
    """A database with one DAG, and a triggerer that can be killed."""

    def __init__(self, home: Path, connection: str) -> None:
        self.home = home
        self.environment = {
            **os.environ,
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            # A killed triggerer's watchers are taken over sooner than after Airflow's half minute.
            "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "5",
            "AIRFLOW_CONN_ONTAP_DEFAULT": connection,
            "PYTHONPATH": str(REPOSITORY / "plugins"),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
            **databases.settings("storage_events"),
        }
        (home / "dags").mkdir(parents=True)
        (home / "dags" / "on_snapshot.py").write_text(PAGE)
        self.command("db", "migrate")
        self.command("dags", "reserialize")
        self.triggerer: subprocess.Popen[bytes] | None = None

    def command(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "airflow", *arguments]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]

    def start(self) -> None:
        command = [sys.executable, "-m", "airflow", "triggerer", "--skip-serve-logs"]
        with (self.home / "triggerer.log").open("ab") as log:
            self.triggerer = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)

    def kill(self) -> None:
        if self.triggerer:
            self.triggerer.kill()
            self.triggerer.wait()

    def rows(self, query: str) -> list[Any]:
        with create_engine(self.environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]).connect() as database:
            return [row[0] for row in database.execute(text(query))]

    def told(self) -> list[str]:
        # SQLite has no type for JSON.
        told = self.rows("SELECT extra FROM asset_event ORDER BY id")
        events = [json.loads(extra) if isinstance(extra, str) else extra for extra in told]
        return [event["payload"]["dataset_version"]["snapshot"] for event in events]

    def seen(self) -> dict[str, Any]:
        """What the page of the asset shows."""
        found = self.rows("SELECT value FROM asset_state_store WHERE key = 'watch_snapshot'")
        return json.loads(found[0]) if found else {}

    def wait_for(self, look: Callable[[], Any], what: str, limit_s: float = 240) -> None:
        deadline = time.monotonic() + limit_s
        while not look():
            log = (self.home / "triggerer.log").read_text()[-2000:]
            assert time.monotonic() < deadline, f"{what} did not come; events: {self.told()}, log: {log}"
            time.sleep(0.5)


@pytest.fixture
def airflow(fresh_emulator: Emulator, tmp_path: Path) -> Iterator[Airflow]:
    facts = {"conn_type": "ontap", "host": fresh_emulator.host, "port": fresh_emulator.port}
    login = {"login": fresh_emulator.user, "password": fresh_emulator.password}
    connection = json.dumps({**facts, **login, "extra": {"verify": fresh_emulator.ca, "svm": "svm1"}})
    made = Airflow(tmp_path / "airflow", connection)
    yield made
    made.kill()


def test_snapshots_taken_by_hand_are_events_each_once(airflow: Airflow, fresh_emulator: Emulator) -> None:
    with fresh_emulator.client() as api:
        facts = {"name": VOLUME, "svm": {"name": "svm1"}, "aggregates": [{"name": "aggr1"}], "size": 2**30}
        api.post("/api/storage/volumes?return_timeout=15", json=facts).raise_for_status()
        uuid = api.get(f"/api/storage/volumes?name={VOLUME}").json()["records"][0]["uuid"]

        def take(name: str) -> None:
            path = f"/api/storage/volumes/{uuid}/snapshots?return_timeout=15"
            api.post(path, json={"name": name}).raise_for_status()

        airflow.start()
        airflow.wait_for(lambda: airflow.seen().get("looked_at"), "the first look")
        take("hourly.1")
        take("weekly.1")
        airflow.wait_for(lambda: airflow.seen()["events"] == 1, "the event in the asset's state store")
        assert airflow.told() == ["weekly.1"]
        assert airflow.rows("SELECT target_dag_id FROM asset_dag_run_queue") == ["on_snapshot"], "the DAG is due"

        airflow.kill()
        take("weekly.2")
        airflow.start()
        airflow.wait_for(lambda: len(airflow.told()) == 2, "the event of the time without a triggerer")
        time.sleep(STORED_AFTER_S + 6)  # one more look, which must bring nothing
        assert airflow.told() == ["weekly.1", "weekly.2"]
        assert airflow.seen()["last_event"]["dataset_version"]["snapshot"] == "weekly.2"
