"""What a promoted model was made of is locked until a date, however often it is tried; and a model is refused whose
data nobody has scanned. On the emulator and a real MLflow."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from ontap_mlops import names
from ontap_mlops.hooks.mlflow import MlflowHook
from ontap_mlops.ontap import dataset_versions, errors, model_versions, snapshot_locks, snapshots, volumes
from ontap_mlops.operators.context import CHOOSE, EVIDENCE, REGISTER
from ontap_mlops.operators.evidence import EvidenceLockOperator
from ontap_mlops.operators.model_versions import ModelVersionExpireOperator
from ontap_mlops.operators.models import ModelRegisterOperator
from ontap_mlops.operators.results import ResultsFreezeOperator
from ontap_mlops.operators.scans import require_scanned
from ontap_mlops.operators.versions import DatasetVersionExpireOperator
from ontap_mlops.records import ModelVersion
from tests.ontap_mlops.conftest import SVM
from tests.ontap_mlops.operators import run_context
from tests.ontap_mlops.operators.promoted import CLEAN, KEY, clock, data, executed, version
from tests.ontap_mlops.operators.running import Run
from tests.serving import mlflow_connection, mlflow_port

__all__ = ["clock", "data", "mlflow_connection", "mlflow_port", "version"]


@pytest.fixture(autouse=True)
def site(client, ontap, monkeypatch) -> Any:
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection())
    yield
    ontap.control("PUT", "/clock", {"offset_s": 0})


def lock(version: ModelVersion, **other: Any) -> dict[str, Any]:
    return executed(EvidenceLockOperator, {REGISTER: version.to_json()}, **{"days": 3650, **other})


def locked_until(client, volume: str, snapshot: str) -> str | None:
    uuid = volumes.get(client, svm=SVM, name=volume).uuid
    return snapshots.get(client, volume_uuid=uuid, name=snapshot).locked_until


def test_the_scan_is_kept_with_the_version(version) -> None:
    assert MlflowHook().model_version(version.model, version.version).scan == CLEAN


def test_data_and_model_are_locked_for_so_long_and_mlflow_knows(client, clock, version) -> None:
    evidence = lock(version)
    end = datetime.fromisoformat(version.created_at) + timedelta(days=3650)
    assert datetime.fromisoformat(evidence["until"]) == end
    assert [each["what"] for each in evidence["locked"]] == ["dataset", "model"]
    for of in (version.dataset_version, version):
        assert datetime.fromisoformat(locked_until(client, of.volume, of.snapshot)) == end.replace(microsecond=0)
    assert MlflowHook().evidence(version).to_json() == evidence


def test_a_retry_asks_for_the_same_end_and_changes_nothing(clock, version, ontap) -> None:
    first = lock(version)
    ontap.control("PUT", "/clock", {"offset_s": 3600})
    ontap.forget_requests()
    assert lock(version) == first
    assert ontap.writes() == []


def test_a_try_that_died_between_the_two_is_completed(client, clock, version, monkeypatch) -> None:
    enable = snapshot_locks.enable

    def dies(client, *, svm, volume):
        if volume == version.volume:
            raise errors.Unreachable("the controller is away")
        return enable(client, svm=svm, volume=volume)

    with monkeypatch.context() as away:
        away.setattr(snapshot_locks, "enable", dies)
        with pytest.raises(errors.Unreachable):
            lock(version)
    assert MlflowHook().evidence(version) is None
    assert len(lock(version)["locked"]) == 2


def test_without_a_compliance_clock_nothing_is_locked_and_the_sentence_says_what_to_do(client, version, ontap) -> None:
    ontap.forget_requests()
    with pytest.raises(errors.ClockNotSet, match="no node has a compliance clock. Set it by hand or with"):
        lock(version)
    assert ontap.writes() == []


def test_another_snapshot_of_the_name_is_not_locked(client, clock, version, ontap) -> None:
    home = version.volume_uuid
    snapshots.delete(client, volume_uuid=home, name=version.snapshot)
    snapshots.ensure(client, volume_uuid=home, name=version.snapshot, comment="somebody's")
    with pytest.raises(AirflowFailException, match="is not the model that was recorded"):
        lock(version)
    assert locked_until(client, version.volume, version.snapshot) is None


def test_results_that_are_frozen_later_are_locked_as_long(client, clock, version, volume) -> None:
    evidence = lock(version)
    chosen = run_context.record(run_key=KEY, dataset_version=version.dataset_version).to_json()
    results = {REGISTER: version.to_json(), EVIDENCE: evidence, CHOOSE: chosen}
    first, second = (executed(ResultsFreezeOperator, results, volume="tyre", what="scores") for _ in range(2))
    assert first == second
    assert locked_until(client, "tyre", first["name"]) == locked_until(client, version.volume, version.snapshot)
    assert [each["what"] for each in MlflowHook().evidence(version).locked] == ["dataset", "model", "results"]


def test_results_of_a_run_that_locks_nothing_are_not_locked(client, clock, data, volume) -> None:
    results = {CHOOSE: run_context.record(run_key=KEY, dataset_version=data).to_json()}
    made = executed(ResultsFreezeOperator, results, volume="tyre", what="scores")
    assert locked_until(client, "tyre", made["name"]) is None


def test_retention_passes_over_what_is_locked_with_a_sentence(client, clock, version, ontap) -> None:
    lock(version)
    newer = f"r20261122t063000z{version.version:08d}"
    comment = model_versions.comment(version.model, newer)
    frozen = snapshots.ensure(client, volume_uuid=version.volume_uuid, name=names.snapshot(newer), comment=comment)
    facts = {"snapshot": frozen.name, "snapshot_uuid": frozen.uuid, "created_at": frozen.created_at}
    MlflowHook().register(dataclasses.replace(version, run_key=newer, folder=newer, **facts))
    ontap.control("PUT", "/clock", {"offset_s": 400 * 86400})
    expired = Run().execute(ModelVersionExpireOperator, model=version.model, keep_newest=1)
    assert expired["removed"] == [] and expired["folders"] == []
    assert expired["kept"]["1"].startswith("it is locked until 20")
    assert MlflowHook().model_version(version.model, 1), "it is not retired, so it can be returned to"

    MlflowHook().retire(version)
    dataset = {"name": "tyre_images", "source": "s3://lake/tyre/", "volume": "tyre"}
    again = {"source": "s3://lake/tyre/", "digest": "d2" * 32, "files": 1, "size": 1, "run_key": "r9"}
    dataset_versions.freeze(client, svm=SVM, volume="tyre", dataset="tyre_images", **again)
    keep = {"keep": {"versions": 1, "days": 0}}
    kept = Run().execute(DatasetVersionExpireOperator, dataset={**dataset, **keep})
    assert kept["removed"] == [] and version.dataset_version.id in kept["kept"]

    ontap.control("PUT", "/clock", {"offset_s": 3651 * 86400})
    assert Run().execute(ModelVersionExpireOperator, model=version.model, keep_newest=1)["removed"] == [1]


@pytest.mark.parametrize(
    ("scan", "digest", "sentence"),
    [
        ({}, "", "is refused: nobody has scanned dataset version"),
        (
            {**CLEAN, "personal_data": {"e-mail addresses": 2}},
            "d1",
            "personal data that was not allowed: e-mail addresses in 2 files. Nothing that serves is changed.",
        ),
    ],
    ids=["no scan", "not allowed"],
)
def test_a_version_is_refused_by_what_is_known_of_its_data(scan, digest, sentence) -> None:
    data = dataclasses.replace(run_context.VERSION, digest=digest)
    with pytest.raises(AirflowFailException, match=sentence):
        require_scanned(dataclasses.replace(run_context.CHAMPION, dataset_version=data, scan=scan))


@pytest.mark.parametrize(
    ("scan", "digest"),
    [({}, "d1"), (CLEAN, ""), ({**CLEAN, "personal_data": {"e-mail addresses": 2}, "allowed": True}, "d1")],
    ids=["promoted by an earlier release, from a checked version", "scanned at promotion", "allowed"],
)
def test_any_other_version_may_serve(scan, digest) -> None:
    data = dataclasses.replace(run_context.VERSION, digest=digest)
    require_scanned(dataclasses.replace(run_context.CHAMPION, dataset_version=data, scan=scan))


def test_an_unscanned_model_is_neither_frozen_nor_registered(client, data, volume, mlflow_connection) -> None:
    unchecked = dataclasses.replace(data, digest="")
    training = dataclasses.replace(run_context.TRAINING, dataset_version=unchecked)
    with pytest.raises(AirflowFailException, match="nobody has scanned dataset version"):
        Run().execute(
            ModelRegisterOperator,
            model="never_seen",
            volume="tyre",
            published={"folder": KEY, "digest": "sha256:02"},
            training=training.to_json(),
        )
    assert len(snapshots.list_snapshots(client, volume_uuid=volume.uuid)) == 1
