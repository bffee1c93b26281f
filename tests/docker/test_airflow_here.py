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


def test_no_page_of_ours_is_served_beside_airflows_own(airflow: AirflowHere) -> None:
    """Whoever adds one gives it Airflow's login, and a test of that here."""
    with airflow.client("admin") as admin:
        plugins = admin.get("/api/v2/plugins").raise_for_status().json()["plugins"]
    ours = [each for each in plugins if "ontap" in json.dumps(each)]
    assert [each for each in ours if each.get("fastapi_apps") or each.get("external_views")] == []
