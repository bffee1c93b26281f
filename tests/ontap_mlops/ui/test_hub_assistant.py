"""The hub over MCP, asked by the SDK's own client: it reads, and starts only what the configuration names."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest
from fastapi.testclient import TestClient
from mcp.client import Client

from ontap_mlops.ui import assistant
from ontap_mlops.ui.assistant import Airflow, Refused
from tests.ontap_mlops.ui.conftest import Facts, Rights, dataset_version, model

VERSION = dataset_version(1)


class ThroughTheHub(Airflow):
    """Speaks to the application itself; what would be started is kept."""

    def __init__(self, client: TestClient) -> None:
        super().__init__("http://airflow", token="t")
        self.client = client
        self.started: list[tuple[str, Any]] = []

    def _send(self, method: str, path: str, **content: Any) -> Any:
        if method == "POST":
            self.started.append((path, content["json"]))
            return Answer(200, {"dag_run_id": "manual__1"})
        found = self.client.get(path, params=content["params"])
        return Answer(found.status_code, found.json())


class Answer:
    def __init__(self, status_code: int, body: Any) -> None:
        self.status_code, self.ok, self.body = status_code, status_code < 400, body

    def json(self) -> Any:
        return self.body


@pytest.fixture
def airflow(client: TestClient, facts: Facts) -> ThroughTheHub:
    facts.models = [model(VERSION)]
    return ThroughTheHub(client)


def ask(airflow: Airflow, tool: str | None = None, **arguments: Any) -> Any:
    """The names of all tools, or the answer of one; an error is its text."""

    async def asked() -> Any:
        async with Client(assistant.server(airflow)) as client:
            if tool is None:
                return {each.name: each.annotations for each in (await client.list_tools()).tools}
            answer = await client.call_tool(tool, arguments)
            text = "".join(part.text for part in answer.content)
            return text if answer.is_error else json.loads(text)

    return anyio.run(asked)


def test_it_only_reads_unless_the_configuration_names_actions(airflow: ThroughTheHub) -> None:
    tools = ask(airflow)
    assert {"datasets", "version", "models", "experiment", "trained_on", "caches", "storage", "runs", "actions"} <= set(
        tools
    )
    assert "start" not in tools and all(each.read_only_hint for each in tools.values())


def test_it_tells_which_data_a_model_has_seen_and_what_a_version_led_to(airflow: ThroughTheHub) -> None:
    assert ask(airflow, "model", name="tyre", number=1)["seen"] == [["tyre_images", VERSION.id]]
    found = ask(airflow, "version", dataset="tyre_images", version=VERSION.id)
    assert [each["state"] for each in found["lineage"]["models"]] == ["serving"]


def test_what_is_not_there_is_told_in_the_hubs_own_sentence(airflow: ThroughTheHub) -> None:
    assert "There is no dataset 'none'" in ask(airflow, "dataset", name="none")


def test_an_action_of_the_configuration_starts_its_dag_and_no_other_does(
    airflow: ThroughTheHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__HUB_ACTIONS", "workspace")
    chosen = {"dataset": "tyre_images", "version": VERSION.id}
    assert not ask(airflow)["start"].read_only_hint
    done = ask(airflow, "start", action="workspace", fields={"days": 2}, **chosen)
    assert done["run_id"] == "manual__1"
    path, body = airflow.started.pop()
    assert path == "/api/v2/dags/workspace/dagRuns"
    assert body["conf"] == {**chosen, "what": "make", "name": "scratch", "days": 2, "person": None}
    assert "workspace (workspace)" in ask(airflow, "start", action="restore", **chosen)
    assert "no field hours" in ask(airflow, "start", action="workspace", fields={"hours": 1}, **chosen)
    assert airflow.started == []


def test_who_may_not_start_a_dag_cannot_by_mcp_either(
    airflow: ThroughTheHub, rights: Rights, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__HUB_ACTIONS", "workspace")
    rights.trigger = lambda dag_id: False
    said = ask(airflow, "start", action="workspace", dataset="tyre_images", version=VERSION.id)
    assert "none" in said and airflow.started == []


def test_without_a_token_it_says_which_variables_to_set() -> None:
    with pytest.raises(Refused, match="ONTAP_MLOPS_AIRFLOW_TOKEN"):
        assistant.from_environment({})


def test_a_silent_airflow_is_told_without_the_password() -> None:
    with pytest.raises(Refused) as refused:
        Airflow("http://127.0.0.1:9", user="ada", password="hunter2").get("runs")
    assert "gave no answer" in str(refused.value) and "hunter2" not in str(refused.value)
