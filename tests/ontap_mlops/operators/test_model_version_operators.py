"""Model versions by age: what goes, what stays, and that nothing goes in doubt. On the emulator and a real MLflow."""

from __future__ import annotations

import time
from typing import Any

import pytest

from ontap_mlops import names
from ontap_mlops.hooks.mlflow import MlflowHook
from ontap_mlops.hooks.rest import ServiceRefused, ServiceUnavailable
from ontap_mlops.ontap import clones, leases, marks, model_versions, snapshots, volumes
from ontap_mlops.operators.model_versions import ModelVersionExpireOperator
from ontap_mlops.records import DatasetVersion, Deployment, ModelVersion
from tests.ontap_mlops.conftest import GIB, SVM
from tests.ontap_mlops.hooks.answering import answering
from tests.ontap_mlops.operators.running import Run
from tests.serving import connection, mlflow_connection, mlflow_port

__all__ = ["mlflow_connection", "mlflow_port"]

DATA = DatasetVersion(
    dataset="tyre_images",
    id="v20261120t063000z01234567",
    svm=SVM,
    volume="tyre",
    volume_uuid="u1",
    snapshot="mlops_v20261120t063000z01234567",
    snapshot_uuid="u2",
    created_at="2026-11-20T06:30:00+00:00",
    digest="sha256:01",
    files=600,
    bytes=9_000_000,
)


@pytest.fixture
def model() -> str:
    return f"m{time.time_ns()}"


@pytest.fixture
def home(client, ontap, monkeypatch, model) -> volumes.Volume:
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection())
    facts = {"size_bytes": GIB, "comment": marks.mark(f"model {model}")}
    return volumes.ensure(client, svm=SVM, name=names.model_volume(model), **facts)


@pytest.fixture
def versions(client, home, model, mlflow_connection) -> list[ModelVersion]:
    """Five, of which the newest two are kept by the rule of these tests."""
    hook, made = MlflowHook(), []
    for number in range(1, 6):
        key = f"r2026112{number}t063000z0123456{number}"
        begun = hook.service.part("POST", "runs/create", "begin", "run", json={"experiment_id": "0"})
        comment = model_versions.comment(model, key)
        frozen = snapshots.ensure(client, volume_uuid=home.uuid, name=names.snapshot(key), comment=comment)
        version = ModelVersion(
            model=model,
            version=0,
            run_key=key,
            mlflow_run_id=begun["info"]["run_id"],
            dataset_version=DATA,
            svm=SVM,
            volume=home.name,
            volume_uuid=home.uuid,
            folder=key,
            digest="sha256:02",
            snapshot=frozen.name,
            snapshot_uuid=frozen.uuid,
            created_at=frozen.created_at,
            code_commit="abc1234",
        )
        made.append(hook.register(version))
    return made


def expire(model: str, run: Run | None = None, **other: Any) -> dict[str, Any]:
    return (run or Run()).execute(ModelVersionExpireOperator, model=model, **{"keep_newest": 2, **other})


def left(client, home) -> list[str]:
    return [s.name for s in snapshots.list_snapshots(client, volume_uuid=home.uuid)]


def tag(version: ModelVersion, key: str, value: str) -> None:
    body = {"name": version.model, "version": str(version.version), "key": key, "value": value}
    MlflowHook().service.change("POST", "model-versions/set-tag", "tag", json=body)


def test_old_versions_go_and_their_folders_are_named(client, home, model, versions) -> None:
    result = expire(model)
    assert (result["removed"], result["kept"]) == ([1, 2, 3], {})
    assert result["folders"] == [versions[2].run_key, versions[1].run_key, versions[0].run_key]
    assert (result["svm"], result["volume"]) == (SVM, home.name)
    assert left(client, home) == [versions[3].snapshot, versions[4].snapshot]
    again = expire(model)
    assert (again["removed"], again["folders"]) == ([], result["folders"]), "a folder a killed program left goes too"


def test_a_retired_version_is_known_and_neither_deployed_nor_a_reason_to_keep_data(model, versions) -> None:
    hook = MlflowHook()
    expire(model)
    with pytest.raises(ServiceRefused, match="Version 1 of model .* was retired and its files are removed"):
        hook.model_version(model, 1)
    assert [v.version for v in hook.model_versions() if v.model == model] in ([4, 5], [5, 4])
    assert hook.version_of_run(model, versions[0].run_key)["version"] in ("1", 1)


def test_the_champion_and_the_version_it_replaced_stay(client, home, model, versions) -> None:
    facts = {"endpoint": "http://x", "proof": {}, "deployed_at": "2026-11-20T07:00:00+00:00"}
    MlflowHook().mark_deployed(Deployment(model_version=versions[1], previous_version=1, **facts))
    result = expire(model)
    assert result["removed"] == [3]
    assert result["kept"] == {"1": "it is what champion 2 replaced", "2": "it is the champion"}
    assert versions[0].snapshot in left(client, home) and versions[1].snapshot in left(client, home)


@pytest.mark.parametrize(("value", "stays"), [("", True), ("true", True), ("for the audit", True), ("false", False)])
def test_a_version_with_the_tag_keep_stays(model, versions, value: str, stays: bool) -> None:
    tag(versions[0], "keep", value)
    assert (1 not in expire(model)["removed"]) is stays


def test_a_version_that_is_being_deployed_stays(model, versions) -> None:
    MlflowHook().note_serving(versions[2], "loading")
    MlflowHook().note_serving(versions[1], "put back")
    result = expire(model)
    assert result["removed"] == [1, 2]
    assert "being deployed" in result["kept"]["3"]


def test_a_version_that_ontap_calls_busy_keeps_snapshot_and_folder(client, home, model, versions) -> None:
    facts = {"parent_volume": home.name, "parent_snapshot": versions[0].snapshot, "comment": marks.mark("look")}
    clones.ensure(client, svm=SVM, name="look", **facts)
    result = expire(model)
    assert result["removed"] == [2, 3]
    assert "clone 'look' of SVM 'svm1' is based on it" in result["kept"]["1"]
    assert versions[0].run_key not in result["folders"]
    clones.delete(client, svm=SVM, name="look")
    assert expire(model)["removed"] == [1], "it goes when nothing holds it any more"


def test_a_snapshot_without_the_versions_mark_stays(client, home, model, versions, ontap) -> None:
    path = f"/api/storage/volumes/{home.uuid}/snapshots/{versions[0].snapshot_uuid}"
    ontap.http.patch(path, json={"comment": "payroll"}, params={"return_timeout": 20})
    result = expire(model)
    assert result["removed"] == [2, 3] and "'payroll', not that of this version" in result["kept"]["1"]
    assert versions[0].snapshot in left(client, home)


def test_nothing_goes_while_another_run_has_the_claim(client, home, model, versions) -> None:
    run, lease = Run(), {"volume_uuid": home.uuid, "name": names.lease(model)}
    leases.take(client, **lease, owner="r_other")
    assert expire(model, run)["removed"] == []
    leases.release(client, **lease, owner="r_other")
    leases.take(client, **lease, owner=run.key)
    assert expire(model, run)["removed"] == [1, 2, 3], "a run's own claim does not hold it up"
    assert leases.read(client, **lease).owner == run.key


@pytest.mark.parametrize(("status", "body"), [(404, "default backend - 404"), (200, "{}x"), (503, "")], ids=str)
def test_an_answer_that_is_not_mlflows_removes_nothing(
    client, home, model, versions, monkeypatch, status, body
) -> None:
    with answering() as server:
        server.answers(status, body)
        monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", connection(server.port))
        monkeypatch.setattr("time.sleep", lambda _: None)
        with pytest.raises((ServiceRefused, ServiceUnavailable)):
            expire(model)
    assert left(client, home) == [version.snapshot for version in versions]


def test_a_folder_that_is_none_of_the_volumes_top_is_never_named(model, versions) -> None:
    import dataclasses
    import json

    wrong = ["..", "models/tyre/r1", versions[4].folder]
    for version, folder in zip(versions, wrong, strict=False):
        tag(version, "record", json.dumps(dataclasses.replace(version, folder=folder).to_json()))
    result = expire(model)
    assert (result["removed"], result["folders"]) == ([1, 2, 3], [])


def test_versions_on_another_volume_are_left_alone(client, home, model, versions) -> None:
    volumes.ensure(client, svm=SVM, name="elsewhere", size_bytes=GIB, comment=marks.mark("x"))
    assert expire(model, volume="elsewhere")["removed"] == []
    assert expire(model, volume="there_is_none")["folders"] == []
    assert left(client, home) == [version.snapshot for version in versions]


def test_a_rule_that_keeps_nothing_is_bad_input(model) -> None:
    with pytest.raises(ValueError, match="keeps 0 versions; keep at least 1"):
        expire(model, keep_newest=0)
