"""Dataset versions by their operators: what expires, and what keeps it from that."""

from __future__ import annotations

import dataclasses
import json
import time
import uuid
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from ontap_mlops import assets, registry
from ontap_mlops.hooks.mlflow import MlflowHook
from ontap_mlops.hooks.rest import ServiceRefused, ServiceUnavailable
from ontap_mlops.ontap import clones, dataset_versions, errors, marks, snapshots, volumes
from ontap_mlops.operators.versions import DatasetVersionCreateOperator, DatasetVersionExpireOperator
from ontap_mlops.records import DatasetVersion, ModelVersion, TrainingRecord
from ontap_mlops.triggers.memory import MADE_HERE
from tests.ontap_mlops.conftest import GIB, SVM
from tests.ontap_mlops.hooks.answering import answering
from tests.ontap_mlops.operators.running import Run
from tests.serving import connection, mlflow_connection, mlflow_port

__all__ = ["mlflow_connection", "mlflow_port"]

DATASET = {"name": "tyre_images", "source": "s3://lake/tyre/", "volume": "tyre", "keep": {"versions": 1, "days": 30}}
ASKED = {"svm": SVM, "volume": "tyre", "dataset": "tyre_images"}


@pytest.fixture(autouse=True)
def connections(ontap, monkeypatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection())
    monkeypatch.delenv("AIRFLOW_CONN_MLFLOW_DEFAULT", raising=False)


@pytest.fixture
def versions(client, volume, ontap) -> list[DatasetVersion]:
    """Four: the first three older than the 30 days that are kept, the last one the newest."""
    made = []
    contents = uuid.uuid4().hex  # MLflow is shared by all tests, and two of them may make a version in the same second
    for number in range(4):
        ontap.control("PUT", "/clock", {"offset_s": (number - 100) * 86400})
        facts = {"digest": f"sha256:{number}{contents:0<63}", "files": 1, "size": 1, "run_key": f"r{number}"}
        made.append(dataset_versions.freeze(client, **ASKED, source="s3://lake/tyre/", **facts).version)
    ontap.control("PUT", "/clock", {"offset_s": 0})
    return made


def expire(**other: Any) -> dict[str, Any]:
    return Run().execute(DatasetVersionExpireOperator, dataset=DATASET, **other)


def left(client) -> list[str]:
    return [version.id for version in dataset_versions.list_versions(client, **ASKED)]


def training(version: DatasetVersion, *, days_ago: int, recorded: bool = True, status: str = "FINISHED") -> str:
    hook, key = MlflowHook(), f"r{time.time_ns()}"
    facts = {"run_key": key, "snapshot_uuid": version.snapshot_uuid, "dataset_version": version.id}
    tags = [{"key": name, "value": value} for name, value in facts.items()]
    began = int((time.time() - days_ago * 86400) * 1000)
    body = {"experiment_id": "0", "start_time": began, "tags": tags}
    run_id = hook.service.part("POST", "runs/create", "begin a run", "run", json=body)["info"]["run_id"]
    if recorded:
        facts = {"parameters": {}, "metrics": {}, "code_commit": "c", "dag_id": "tyre_quality", "model": "tyre"}
        hook.record_training(TrainingRecord(run_key=key, mlflow_run_id=run_id, dataset_version=version, **facts))
    update = {"run_id": run_id, "status": status}
    hook.service.part("POST", "runs/update", "end a run", "run_info", json=update)
    return key


def register(version: DatasetVersion) -> ModelVersion:
    hook = MlflowHook()
    run_id = hook.service.part("POST", "runs/create", "begin", "run", json={"experiment_id": "0"})["info"]["run_id"]
    model = f"tyre_{time.time_ns()}"
    facts = {"svm": SVM, "volume": "m", "folder": "f", "digest": "d", "snapshot": "s", "snapshot_uuid": "u"}
    facts |= {"created_at": "2026-11-20T06:40:00+00:00", "code_commit": "c"}
    return hook.register(
        ModelVersion(model=model, version=0, run_key="r1", mlflow_run_id=run_id, dataset_version=version, **facts)
    )


def test_versions_beyond_the_rule_are_removed(client, versions, mlflow_connection) -> None:
    assert expire() == {"removed": [version.id for version in versions[:3]], "kept": {}}
    assert left(client) == [versions[3].id]
    assert expire() == {"removed": [], "kept": {}}


def test_a_version_a_registered_model_was_trained_on_stays(client, versions, mlflow_connection) -> None:
    model = register(versions[0])
    result = expire()
    assert result["removed"] == [versions[1].id, versions[2].id]
    assert result["kept"] == {versions[0].id: f"model {model.model} 1 was trained on it"}
    assert left(client) == [versions[0].id, versions[3].id]


def test_a_version_that_was_trained_on_lately_stays_to_be_repeated(client, versions, mlflow_connection) -> None:
    recent = training(versions[0], days_ago=29)
    training(versions[1], days_ago=31)
    training(versions[2], days_ago=1, recorded=False, status="FAILED")
    result = expire()
    assert result["removed"] == [versions[1].id, versions[2].id]
    assert f"training {recent} since" in result["kept"][versions[0].id]


def test_a_version_stays_that_was_used_at_another_site_where_its_snapshot_has_another_uuid(
    client, versions, mlflow_connection
) -> None:
    trained = training(dataclasses.replace(versions[0], svm="svm_remote", snapshot_uuid="copy"), days_ago=1)
    model = register(dataclasses.replace(versions[1], svm="svm_remote", snapshot_uuid="other copy"))
    result = expire()
    assert result["removed"] == [versions[2].id]
    assert f"training {trained} since" in result["kept"][versions[0].id]
    assert result["kept"][versions[1].id] == f"model {model.model} 1 was trained on it"


def test_a_version_that_is_being_trained_on_stays(client, versions, mlflow_connection) -> None:
    running = training(versions[2], days_ago=0, recorded=False, status="RUNNING")
    result = expire()
    assert result["removed"] == [versions[0].id, versions[1].id]
    assert running in result["kept"][versions[2].id]


def test_a_version_with_a_workspace_stays_and_ontap_says_why(client, versions, mlflow_connection) -> None:
    snapshot = versions[1].snapshot
    clones.ensure(client, svm=SVM, name="ws", parent_volume="tyre", parent_snapshot=snapshot, comment=marks.mark("ws"))
    result = expire()
    assert result["removed"] == [versions[0].id, versions[2].id]
    assert "clone 'ws' of SVM 'svm1' is based on it" in result["kept"][versions[1].id]


def test_other_snapshots_of_the_volume_stay(client, versions, mlflow_connection) -> None:
    volume = volumes.get(client, svm=SVM, name="tyre")
    for name in ("hourly", "mlops_lease_tyre", "mlops_v20200101t000000z00000000"):
        snapshots.ensure(client, volume_uuid=volume.uuid, name=name, comment="somebody's")
    expire()
    names = {s.name for s in snapshots.list_snapshots(client, volume_uuid=volume.uuid)}
    assert names == {"hourly", "mlops_lease_tyre", "mlops_v20200101t000000z00000000", versions[3].snapshot}


def test_mlflow_is_not_needed_when_nothing_expires(client, volume) -> None:
    assert expire(mlflow_conn_id="there_is_none") == {"removed": [], "kept": {}}


@pytest.mark.parametrize(
    ("status", "body"),
    [(404, "default backend - 404"), (200, "<html>Sign in</html>"), (200, '{"message": "hello"}'), (502, "")],
    ids=["404 of a proxy", "a sign-in page", "JSON of something else", "a gateway"],
)
def test_an_answer_that_is_not_mlflows_removes_nothing(client, versions, monkeypatch, status, body) -> None:
    with answering() as server:
        server.answers(status, body)
        monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", connection(server.port))
        monkeypatch.setattr("time.sleep", lambda _: None)
        with pytest.raises((ServiceRefused, ServiceUnavailable)):
            expire()
    assert left(client) == [version.id for version in versions]


def create(run: Run, digest: str) -> dict[str, Any]:
    checked = {"digest": digest, "files": 3, "bytes": 9}
    return run.execute(DatasetVersionCreateOperator, dataset=DATASET, checked=checked, outlets=[])


def test_a_version_is_made_once_and_not_again_of_the_same_content(client, volume) -> None:
    first = create(Run("one"), "sha256:" + "a" * 64)
    assert (first["source"], first["files"], first["svm"]) == ("s3://lake/tyre/", 3, SVM)
    assert create(Run("one"), "sha256:" + "b" * 64) == first
    with pytest.raises(AirflowSkipException, match="Nothing changed in tyre_images since version"):
        create(Run("two"), "sha256:" + "a" * 64)
    assert create(Run("three"), "sha256:" + "c" * 64)["id"] != first["id"]


def test_the_warning_near_ontaps_limit_counts_every_snapshot(client, volume, monkeypatch, capsys) -> None:
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__SNAPSHOT_WARNING", "3")
    snapshots.ensure(client, volume_uuid=volume.uuid, name="hourly.1", comment="")
    create(Run("one"), "sha256:" + "a" * 64)
    assert "snapshots of at most" not in capsys.readouterr().out
    snapshots.ensure(client, volume_uuid=volume.uuid, name="hourly.2", comment="")
    create(Run("two"), "sha256:" + "b" * 64)
    assert "Volume tyre has 4 snapshots of at most 1,023" in capsys.readouterr().out


def test_the_volume_is_looked_for_on_the_datasets_own_svm(ontap, client, volume) -> None:
    ontap.control("PUT", "/svms", {"name": "svm2"})
    elsewhere = {**DATASET, "svm": "svm2"}
    volumes.ensure(client, svm="svm2", name="tyre", size_bytes=GIB, comment=marks.mark("dataset tyre_images"))
    checked = {"digest": "sha256:" + "a" * 64, "files": 3, "bytes": 9}
    made = Run().execute(DatasetVersionCreateOperator, dataset=elsewhere, checked=checked)
    assert made["svm"] == "svm2" and left(client) == []


class Store:
    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def get(self, key: str, default: Any = None) -> Any:
        return self.values.get(key, default)

    def set(self, key: str, value: Any) -> None:
        self.values[key] = value


def test_a_run_says_that_it_makes_a_version_before_there_is_one_for_a_watcher_to_see(client, volume, ontap) -> None:
    watched = assets.dataset_asset(registry.as_dataset({**DATASET, "watch": {}}))
    store, run, checked = Store(), Run("one"), {"digest": "sha256:" + "a" * 64, "files": 3, "bytes": 9}
    run.state_stores = {watched: store}
    ontap.fault("POST", "/snapshots", "refuse", times=9)
    facts = {"dataset": DATASET, "checked": checked, "outlets": [watched]}
    with pytest.raises(errors.OntapTemporaryError):
        run.execute(DatasetVersionCreateOperator, **facts)
    assert len(store.values[MADE_HERE]) == 1
    ontap.control("DELETE", "/faults")
    made = run.execute(DatasetVersionCreateOperator, **facts)
    snapshot = snapshots.get(client, volume_uuid=volume.uuid, name=made["snapshot"])
    assert store.values[MADE_HERE] == [json.loads(snapshot.comment)["run"]]
