"""Promotion against the emulator and a real MLflow: one snapshot and one version, however often it is tried."""

import time
import uuid
from types import SimpleNamespace

import pytest

from ontap_mlops.hooks.mlflow import MlflowHook
from ontap_mlops.hooks.rest import ServiceUnavailable
from ontap_mlops.ontap import snapshots, volumes
from ontap_mlops.ontap.errors import NotFound
from ontap_mlops.operators.models import ModelRegisterOperator
from ontap_mlops.records import DatasetVersion, ModelVersion, TrainingRecord
from tests.ontap_mlops.conftest import GIB, MARK, SVM
from tests.serving import connection, free_ports

DATA = DatasetVersion(
    dataset="tyre_images",
    id="v20261120t063000z01234567",
    svm="svm1",
    volume="tyre_images",
    volume_uuid="u1",
    snapshot="mlops_v20261120t063000z01234567",
    snapshot_uuid="u2",
    created_at="2026-11-20T06:30:00+00:00",
    digest="sha256:01",
    files=600,
    bytes=9_000_000,
)


@pytest.fixture
def models_volume(client, ontap, monkeypatch) -> volumes.Volume:
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection())
    return volumes.ensure(client, svm=SVM, name="models", size_bytes=GIB, comment=MARK, junction_path="/models")


@pytest.fixture
def links() -> dict[str, str]:
    return {}


@pytest.fixture
def context(links) -> dict:
    return {"ti": SimpleNamespace(xcom_push=lambda key, value: links.update({key: value}))}


@pytest.fixture
def training(context, mlflow_connection) -> dict:
    """What a finished and judged training left."""
    begun = {"experiment_id": "0", "start_time": int(time.time() * 1000)}
    run = MlflowHook().service.part("POST", "runs/create", "begin a run", "run", json=begun)["info"]["run_id"]
    record = TrainingRecord(
        mlflow_run_id=run,
        dataset_version=DATA,
        parameters={"epochs": 3},
        metrics={"accuracy": 0.9},
        run_key=f"r20261120t063000z{uuid.uuid4().hex[:8]}",
        code_commit="abc",
    )
    MlflowHook().record_training(record)
    return record.to_json()


def promote(training: dict, model: str) -> ModelRegisterOperator:
    published = {"folder": training["run_key"], "digest": "sha256:02", "files": ["model.onnx"], "bytes": 7}
    return ModelRegisterOperator(task_id="promote", model=model, published=published, training=training)


def test_a_training_is_recorded_so_that_it_can_be_repeated(training):
    assert MlflowHook().training_record(training["run_key"]).to_json() == training


def test_however_often_it_is_tried_there_is_one_snapshot_and_one_version(
    client, models_volume, training, context, links, mlflow_connection
):
    model = f"tyre_{uuid.uuid4().hex[:8]}"
    first, second = (promote(training, model).execute(context) for _ in range(2))
    assert first == second
    version = ModelVersion.from_json(first)
    assert (version.version, version.dataset_version, version.metrics) == (1, DATA, {"accuracy": 0.9})
    (frozen,) = snapshots.list_snapshots(client, volume_uuid=models_volume.uuid)
    assert (frozen.name, frozen.uuid) == (f"mlops_{training['run_key']}", version.snapshot_uuid)
    page = f"{mlflow_connection}/#/models/{model}/versions/1?workflowType=machine_learning"
    assert links == {"mlflow_model_url": page}


def test_a_registry_that_was_away_is_no_reason_for_a_second_snapshot(
    client, models_volume, training, context, monkeypatch
):
    model = f"tyre_{uuid.uuid4().hex[:8]}"
    with monkeypatch.context() as away:
        away.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", connection(free_ports(1)[0]))
        with pytest.raises(ServiceUnavailable, match="MLflow server at .* gave no answer .*refused"):
            promote(training, model).execute(context)
    assert promote(training, model).execute(context)["version"] == 1
    assert snapshots.count(client, volume_uuid=models_volume.uuid) == 1


def test_a_missing_model_volume_is_named(ontap, training, context, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection())
    with pytest.raises(NotFound, match="no volume 'models' of SVM 'svm1'"):
        promote(training, "tyre").execute(context)
