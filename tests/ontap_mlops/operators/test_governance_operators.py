"""What a report says of a model version, and which versions a search for a person goes through; nothing is changed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from ontap_mlops.hooks.airflow_rest import AirflowRest
from ontap_mlops.hooks.mlflow import MlflowHook
from ontap_mlops.hooks.rest import ServiceUnavailable
from ontap_mlops.ontap import clones, marks, snapshots
from ontap_mlops.operators.context import REGISTER
from ontap_mlops.operators.data_subjects import DataSubjectCollectOperator, DataSubjectSearchOperator
from ontap_mlops.operators.evidence import EvidenceLockOperator
from ontap_mlops.operators.model_reports import ModelReportCollectOperator
from ontap_mlops.records import Deployment
from tests.ontap_mlops.conftest import SVM
from tests.ontap_mlops.operators import run_context
from tests.ontap_mlops.operators.promoted import clock, data, executed, version
from tests.serving import mlflow_connection, mlflow_port

__all__ = ["clock", "data", "mlflow_connection", "mlflow_port", "version"]

RUN = {
    "run_type": "manual",
    "triggering_user_name": "jane",
    "start_date": "2026-11-20T06:00:00Z",
    "note": "for the audit",
}
HITL = {
    "hitl_details": [
        {
            "subject": "Deploy?",
            "chosen_options": ["Approve"],
            "responded_by_user": {"id": "1", "name": "john"},
            "responded_at": "2026-11-20T07:00:00Z",
        }
    ]
}
XCOMS = {
    "decide": {"decision": "promote", "reason": "the challenger is better", "champion_version": 2},
    "evaluate": {"metrics": {"challenger": {"accuracy": 0.9}, "champion": {"accuracy": 0.8}}, "held_out": 100},
}


@pytest.fixture(autouse=True)
def site(ontap, monkeypatch) -> Any:
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection())


@pytest.fixture
def airflow(monkeypatch) -> None:
    """Airflow's REST API, as it answers for the run that trained."""

    def call(self, method: str, path: str, **_: Any) -> tuple[int, dict[str, Any]]:
        assert (method, path.startswith("/dags/tyre_quality/dagRuns/manual__1")) == ("GET", True)
        if path.endswith("hitlDetails"):
            return 200, HITL
        if "xcomEntries" in path:
            return 200, {"value": json.dumps(XCOMS[path.split("/")[-3]])}
        return 200, RUN

    monkeypatch.setattr(AirflowRest, "call", call)


def collected(model: str, **other: Any) -> dict[str, str]:
    """Value of each statement by part and name."""
    facts = executed(ModelReportCollectOperator, {}, model=model, **other)
    assert all(each["where"] for each in facts["statements"])
    return {f"{each['part']}: {each['name']}": each for each in facts["statements"]}


def test_it_is_said_who_judged_and_approved_what_by_which_code(clock, version, airflow) -> None:
    executed(EvidenceLockOperator, {REGISTER: version.to_json()}, days=30)
    facts = {"endpoint": "http://triton/v2", "proof": {"predicted": "full"}, "deployed_at": "2026-11-20T08:00:00+00:00"}
    MlflowHook().mark_deployed(Deployment(model_version=version, previous_version=2, **facts))
    said = {name: each["value"] for name, each in collected(version.model).items()}
    assert said["Data: Dataset and version"].startswith(f"tyre_images {version.dataset_version.id}")
    assert said["Data: Scan for personal data"] == "no personal data found (check)"
    assert (said["Code: Commit"], said["Code: Place of compute"], said["Parameters: epochs"]) == ("abc", "local", "3")
    assert said["Judgement: Judged against"] == "version 2"
    assert json.loads(said["Judgement: Metrics of the champion"]) == {"accuracy": 0.8}
    assert (said["Who: Started by"], said["Who: Note of the run"]) == ("jane (manual)", "for the audit")
    assert said["Who: Asked: Deploy?"] == "Approve, by john at 2026-11-20T07:00:00Z"
    assert said["Service: Served from"].startswith("2026-11-20T08:00:00+00:00, at http://triton/v2")
    assert said["Service: Served until"] == "it was not replaced"


def test_what_ontap_says_of_the_snapshots_is_checked_now(client, clock, version, airflow) -> None:
    executed(EvidenceLockOperator, {REGISTER: version.to_json()}, days=30)
    said = collected(version.model, version=version.version)
    for what in ("data", "model"):
        assert said[f"Evidence: Snapshot of the {what}"]["holds"] is True
        assert said[f"Evidence: The {what} is locked until"]["holds"] is True


def test_a_snapshot_that_is_gone_is_said_not_to_hold(client, version, airflow) -> None:
    snapshots.delete(client, volume_uuid=version.volume_uuid, name=version.snapshot)
    gone = collected(version.model, version=version.version)["Evidence: Snapshot of the model"]
    assert gone["holds"] is False and gone["value"].endswith("is not there")


def test_what_airflow_does_not_tell_is_said_to_be_not_known(version, monkeypatch) -> None:
    def away(*_: Any, **__: Any) -> Any:
        raise ServiceUnavailable("Airflow gave no answer.")

    monkeypatch.setattr(AirflowRest, "call", away)
    said = collected(version.model, version=version.version)
    assert said["Who: Started by"]["value"] == "not known: Airflow gave no answer."
    assert said["Who: Started by"]["holds"] is None


@pytest.mark.parametrize(
    ("number", "sentence"), [("9", "has no version 9 from a promotion; it has: 1"), (None, "no champion")]
)
def test_a_version_that_is_not_there_is_bad_input(version, number, sentence) -> None:
    with pytest.raises(AirflowFailException, match=sentence):
        executed(ModelReportCollectOperator, {}, model=version.model, version=number)


@pytest.fixture
def dataset(tmp_path, monkeypatch) -> None:
    (tmp_path / "datasets.yaml").write_text(
        "datasets:\n  tyre_images: {source: 's3://lake/tyre/', volume: tyre}\n"
        "  without_versions: {source: 's3://lake/none/', volume: not_made_yet}\n"
    )
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path))


def test_a_search_goes_through_every_version_with_what_locks_and_clones_it(client, clock, dataset, version) -> None:
    executed(EvidenceLockOperator, {REGISTER: version.to_json()}, days=30)
    facts = {"parent_volume": "tyre", "parent_snapshot": version.dataset_version.snapshot, "comment": marks.mark("x")}
    clones.ensure(client, svm=SVM, name="experiment", **facts)
    found = executed(DataSubjectCollectOperator, {})
    (only,) = found["datasets"][0]["versions"]
    model = next(each for each in found["models"] if each["model"] == version.model)
    assert only["clones"] == ["experiment"] and only["locked_until"]
    assert (model["dataset_version"], model["state"]) == (version.dataset_version.id, "registered")
    assert found["mounts"] == {"data_tyre_images": {"svm": SVM, "junction_path": "/tyre", "read_only": True}}


def test_a_dataset_that_is_not_there_is_bad_input(dataset) -> None:
    with pytest.raises(AirflowFailException, match="no dataset calls; there are tyre_images, without_versions"):
        executed(DataSubjectCollectOperator, {}, datasets="calls")


def test_identifiers_are_a_secret_of_the_program_and_never_rendered(monkeypatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SUBJECT", json.dumps({"conn_type": "generic", "password": "C-10442\n\n"}))
    mounts = {"data_calls": {"svm": "svm1", "junction_path": "/calls", "read_only": True}}
    results = {"collect": {"mounts": mounts, "datasets": []}}
    context = run_context.context(results, params={"identifiers": ["Jane Doe"], "identifiers_conn_id": "subject"})
    target = {"svm": "svm1", "junction_path": "/governance"}
    search = DataSubjectSearchOperator(task_id="search", facts="collect", target=target, compute="local")
    workload = search.workload(context)
    assert json.loads(workload.secrets["DATA_SUBJECT"]) == ["Jane Doe", "C-10442"]
    rendered = [getattr(search, name) for name in search.template_fields]
    told = f"{workload.arguments} {workload.environment} {workload.run} {rendered}"
    assert "Jane" not in told and "10442" not in told
    assert workload.run["folders"] == {"data_calls": "{data_calls}", "output": "{output}"}


def test_a_search_for_nobody_is_refused() -> None:
    search = DataSubjectSearchOperator(task_id="search", facts="collect", target={}, compute="local")
    with pytest.raises(AirflowFailException, match="No identifier of a person was given"):
        search.workload(run_context.context({}))
