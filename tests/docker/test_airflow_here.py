"""What a real Airflow with our provider tells: lineage, logs, and its pages only after a login."""

from __future__ import annotations

import json

import pytest

from ontap_mlops.records import DatasetVersion
from tests.docker.airflow_here import AirflowHere

pytestmark = [pytest.mark.triton, pytest.mark.timeout(900)]


def test_a_run_tells_openlineage_which_version_it_made_of_what(airflow: AirflowHere, data: DatasetVersion) -> None:
    events = [json.loads(line) for line in airflow.lineage.read_text().splitlines()]
    (done,) = [e for e in events if e["job"]["name"] == "watched_ingest.freeze" and e["eventType"] == "COMPLETE"]
    assert [(each["namespace"], each["name"]) for each in done["inputs"]] == [("s3://lake", "tyre")]
    (made,) = [each for each in done["outputs"] if each["name"] == "dataset/tyres" and "version" in each["facets"]]
    assert made["namespace"] == "ontap"
    assert made["facets"]["version"]["datasetVersion"] == data.id
    assert made["outputFacets"]["outputStatistics"]["fileCount"] == 3
    failed = [e["eventType"] for e in events if e["job"]["name"] == "watched_failure.fail"]
    assert failed[-1] == "FAIL"


def test_lines_of_a_task_say_in_json_which_run_task_and_data_they_are_about(
    airflow: AirflowHere, data: DatasetVersion
) -> None:
    lines = [json.loads(line) for line in airflow.said.splitlines() if line.startswith("{")]
    (frozen,) = [line for line in lines if str(line.get("event", "")).startswith("Dataset version ")]
    assert (frozen["dag_id"], frozen["task_id"]) == ("watched_ingest", "freeze")
    assert frozen["run_id"].startswith("manual__") and frozen["run_key"].startswith("r2")
    assert frozen["dataset_version"] == data.id
    assert {"timestamp", "level", "logger"} <= frozen.keys()


READ = ("dags", "dags/~/dagRuns", "pools", "assets", "plugins", "importErrors")
CHANGE = (
    ("POST", "dags/watched_ingest/dagRuns", {"logical_date": None}),
    ("PATCH", "dags/watched_ingest", {"is_paused": True}),
    ("POST", "pools", {"name": "more", "slots": 1}),
    ("DELETE", "pools/compute_local", None),
    ("POST", "connections", {"connection_id": "more", "conn_type": "http"}),
    ("POST", "variables", {"key": "more", "value": "1"}),
)


def test_without_a_login_nothing_is_read_or_changed(airflow: AirflowHere) -> None:
    with airflow.client() as stranger:
        for path in READ:
            assert stranger.get(f"/api/v2/{path}").status_code == 401, path
        for method, path, body in CHANGE:
            assert stranger.request(method, f"/api/v2/{path}", json=body).status_code == 401, path


def test_a_viewer_reads_runs_and_changes_nothing(airflow: AirflowHere) -> None:
    with airflow.client("viewer") as viewer, airflow.client("admin") as admin:
        assert viewer.get("/api/v2/dags/~/dagRuns").status_code == 200
        before = admin.get("/api/v2/dags/~/dagRuns").json()["total_entries"]
        for method, path, body in CHANGE:
            assert viewer.request(method, f"/api/v2/{path}", json=body).status_code == 403, path
        assert admin.get("/api/v2/dags/~/dagRuns").json()["total_entries"] == before
        assert admin.get("/api/v2/pools/compute_local").status_code == 200


HUB = "/ontap"


def test_the_data_hub_is_the_only_page_of_ours_and_airflow_shows_it_in_its_menu(airflow: AirflowHere) -> None:
    """Whoever adds another gives it Airflow's login, and a test of that here."""
    with airflow.client("admin") as admin:
        plugins = admin.get("/api/v2/plugins").raise_for_status().json()["plugins"]
        errors = admin.get("/api/v2/plugins/importErrors").json()
    ours = [each for each in plugins if "ontap" in json.dumps(each)]
    assert [each["name"] for each in ours if each.get("fastapi_apps") or each.get("external_views")] == [
        "ontap_mlops_data_hub"
    ]
    assert errors["total_entries"] == 0
    (hub,) = [each for each in ours if each["fastapi_apps"]]
    assert {view["destination"] for view in hub["external_views"]} == {"nav", "dag", "dag_run"}


def test_without_a_login_the_hub_tells_nothing(airflow: AirflowHere) -> None:
    with airflow.client() as stranger:
        for path in ("/", "/datasets/tyres", "/runs", "/openapi.json", "/api/datasets", "/api/actions"):
            answer = stranger.get(HUB + path)
            assert answer.status_code == 401 and "s3://" not in answer.text, path
        assert stranger.get("/ontap/", headers={"Authorization": "Bearer x"}).status_code in (401, 403)
        # What is shipped and the same for everybody.
        assert stranger.get(f"{HUB}/static/hub.css").status_code == 200


def test_a_viewer_sees_in_the_hub_what_is_known_and_can_start_nothing(
    airflow: AirflowHere, data: DatasetVersion
) -> None:
    with airflow.client("viewer") as viewer:
        found = viewer.get(f"{HUB}/api/datasets/tyres").raise_for_status().json()
        assert [each["id"] for each in found["versions"]] == [data.id]
        assert [each["site"] for each in found["caches"]] == ["west"]
        page = viewer.get(f"{HUB}/datasets/tyres/versions/{data.id}")
        # No connection to MLflow is made here, and the page says so beside what ONTAP knows.
        assert page.status_code == 200 and data.snapshot in page.text and "mlflow_default" in page.text
        assert "<dialog" not in page.text
        asked = {"dataset": "tyres", "version": data.id}
        assert viewer.get(f"{HUB}/api/actions", params=asked).json() == []
        assert viewer.get(f"{HUB}/api/datasets").json()["datasets"][0]["newest"]["id"] == data.id
        assert viewer.get(f"{HUB}/api/storage").json()["clones"] >= 1
        assert viewer.get(f"{HUB}/api/runs").status_code == 200


def test_what_an_administrator_can_start_follows_from_the_dags_that_there_are(
    airflow: AirflowHere, data: DatasetVersion
) -> None:
    with airflow.client("admin") as admin:
        page = admin.get(f"{HUB}/datasets/tyres").raise_for_status()
        assert page.headers["content-security-policy"].startswith("default-src 'none'")
        asked = {"dataset": "tyres", "version": data.id}
        (found,) = admin.get(f"{HUB}/api/actions", params=asked).json()
        assert (found["dag_id"], found["conf"]) == ("workspace", {**asked, "what": "make"})
        assert [each["name"] for each in admin.get(f"{HUB}/api/actions?dataset=tyres").json()] == ["ingest"]
        assert admin.post(f"{HUB}/api/actions").status_code == 405
