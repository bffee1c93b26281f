"""The client of Airflow's REST API against a server that answers as Airflow does in bad moments."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from scripts import airflow_api
from scripts.airflow_api import AirflowApi

NOW = datetime.now(UTC)


class Server:
    """Wants a token that changes when ``expire`` is called; ``broken`` counts the 500s still to come."""

    def __init__(self) -> None:
        self.tokens, self.broken, self.password = 0, 0, "right"
        self.answers: dict[str, Any] = {}

    def expire(self) -> None:
        self.tokens += 1

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/auth/token":
            good = json.loads(request.content)["password"] == self.password
            return httpx.Response(201 if good else 401, json={"access_token": f"t{self.tokens}"})
        if request.headers.get("Authorization") != f"Bearer t{self.tokens}":
            return httpx.Response(401, json={"detail": "Not authenticated"})
        if self.broken:
            self.broken -= 1
            return httpx.Response(500, text="database is locked")
        path = request.url.path.removeprefix("/api/v2/")
        return httpx.Response(200, json=self.answers[path]) if path in self.answers else httpx.Response(404)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def api(server: Server, monkeypatch: pytest.MonkeyPatch) -> AirflowApi:
    monkeypatch.setattr(airflow_api.time, "sleep", lambda seconds: None)
    return with_password(server, "right")


def with_password(server: Server, password: str) -> AirflowApi:
    made = AirflowApi("http://airflow", "admin", password)
    made._http = httpx.Client(base_url="http://airflow", transport=httpx.MockTransport(server))
    return made


def test_it_logs_in_when_asked_to_and_again_when_the_token_expires(api: AirflowApi, server: Server):
    server.answers["dags/d"] = {"is_paused": False}
    assert api.dag("d") == {"is_paused": False}
    server.expire()
    assert api.dag("d") == {"is_paused": False}


def test_what_is_not_there_is_none(api: AirflowApi):
    assert api.dag("missing") is None


def test_a_locked_database_is_asked_again(api: AirflowApi, server: Server):
    server.answers["dags/d"], server.broken = {}, 2
    assert api.dag("d") == {}


def test_lasting_trouble_is_told_with_what_was_asked(api: AirflowApi, server: Server):
    server.broken = 99
    with pytest.raises(RuntimeError, match="was asked GET dags/d 5 times: 500 database is locked"):
        api.dag("d")


def test_a_wrong_password_is_told_without_showing_it(server: Server):
    with pytest.raises(RuntimeError, match="refuses user admin") as caught:
        with_password(server, "wrong-password").dag("d")
    assert "wrong-password" not in str(caught.value)


def test_a_log_holds_what_the_task_said_and_the_exceptions_in_a_line_each(api: AirflowApi, server: Server):
    entries = [
        {"event": "::group::Log message source details"},
        {"event": "/home/me/attempt=1.log"},
        {"event": "DAG bundles loaded: dags-folder", "logger": "airflow"},
        {"event": "Skipping masking", "logger": "airflow.sdk._shared.secrets_masker.secrets_masker"},
        {"event": "600 of 600 files differ"},
        {
            "event": "Task failed with exception",
            "error_detail": [{"exc_type": "SpaceFull", "exc_value": "The volume is full.", "frames": []}],
        },
    ]
    server.answers["dags/d/dagRuns/r/taskInstances/sync/logs/2"] = {"content": entries, "continuation_token": None}
    task = {"dag_id": "d", "dag_run_id": "r", "task_id": "sync", "map_index": -1, "try_number": 2}
    assert api.log(task) == ["600 of 600 files differ", "SpaceFull: The volume is full."]


def test_the_run_an_event_has_started_is_found_among_others(api: AirflowApi, server: Server):
    runs = [{"dag_run_id": "manual", "run_type": "manual"}]
    runs += [{"dag_run_id": name, "run_type": "asset_triggered"} for name in ("other", "mine")]
    server.answers["dags/d/dagRuns"] = {"dag_runs": runs}
    for name, source in (("other", "yesterday"), ("mine", "today")):
        server.answers[f"dags/d/dagRuns/{name}/upstreamAssetEvents"] = {"asset_events": [{"source_run_id": source}]}
    assert api.run_started_by("d", "today") == "mine"
    assert api.run_started_by("d", "never") is None


class Scheduled(AirflowApi):
    """Airflow with one DAG; a scheduled run appears when it is unpaused and due."""

    def __init__(self, *, paused: bool, due: datetime | None) -> None:
        self.facts = {"is_paused": paused, "next_dagrun_run_after": due and due.isoformat()}
        self.known = [{"dag_run_id": "old"}]

    def dag(self, dag_id: str) -> dict[str, Any]:
        return dict(self.facts)

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        return self.known

    def unpause(self, dag_id: str) -> None:
        due = self.facts["next_dagrun_run_after"]
        if self.facts["is_paused"] and due and datetime.fromisoformat(due) <= NOW:
            self.known = [{"dag_run_id": "scheduled"}, *self.known]
        self.facts["is_paused"] = False


@pytest.mark.parametrize(
    ("paused", "due", "expected"),
    [
        (True, NOW - timedelta(hours=3), "scheduled"),
        (True, NOW + timedelta(hours=3), None),
        (True, None, None),
        (False, NOW - timedelta(hours=3), None),
    ],
    ids=["first time", "nothing due", "no schedule", "second demo"],
)
def test_a_run_that_starts_by_itself_is_followed_instead_of_triggering_another(
    paused: bool, due: datetime | None, expected: str | None
):
    assert Scheduled(paused=paused, due=due).run_that_is_due("ingest") == expected
