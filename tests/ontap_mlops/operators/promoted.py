"""A registered model version with the dataset version it was trained on, on the emulator and a real MLflow."""

from __future__ import annotations

import time
from typing import Any

import pytest
from airflow.sdk.bases.operator import ExecutorSafeguard

from ontap_mlops import names
from ontap_mlops.hooks.mlflow import MlflowHook
from ontap_mlops.ontap import dataset_versions, marks, snapshot_locks, volumes
from ontap_mlops.operators.models import ModelRegisterOperator
from ontap_mlops.records import DatasetVersion, ModelVersion, TrainingRecord
from tests.ontap_mlops.conftest import GIB, SVM
from tests.ontap_mlops.operators import run_context
from tests.ontap_mlops.operators.running import Run

KEY = "r20261121t063000z01234561"
CLEAN = {"by": "check", "digest": "d1", "files": 1, "personal_data": {}, "allowed": False}


@pytest.fixture
def clock(client) -> None:
    snapshot_locks.initialize_clocks(client)


@pytest.fixture
def data(client, volume) -> DatasetVersion:
    facts = {"volume": "tyre", "dataset": "tyre_images", "source": "s3://lake/tyre/", "digest": "d1" * 32}
    return dataset_versions.freeze(client, svm=SVM, **facts, files=1, size=1, run_key="r0").version


@pytest.fixture
def version(client, data, mlflow_connection) -> ModelVersion:
    model = f"m{time.time_ns()}"
    facts = {"size_bytes": GIB, "comment": marks.mark(f"model {model}")}
    home = volumes.ensure(client, svm=SVM, name=names.model_volume(model), **facts)
    tags = [{"key": "airflow_run", "value": "tyre_quality/manual__1"}, {"key": "compute_place", "value": "local"}]
    body = {"experiment_id": "0", "start_time": int(time.time() * 1000), "tags": tags}
    begun = MlflowHook().service.part("POST", "runs/create", "begin", "run", json=body)
    training = TrainingRecord(
        run_key=f"{KEY}{time.time_ns()}",
        mlflow_run_id=begun["info"]["run_id"],
        dataset_version=data,
        parameters={"epochs": 3},
        metrics={"accuracy": 0.9},
        code_commit="abc",
    )
    MlflowHook().record_training(training)
    published = {"folder": KEY, "digest": "sha256:02", "scan": CLEAN}
    arguments = {"volume": home.name, "published": published, "training": training.to_json()}
    return ModelVersion.from_json(Run().execute(ModelRegisterOperator, model=model, **arguments))


def executed(kind: type, results: dict[str, Any], **arguments: Any) -> Any:
    """The operator as a task of a run in which earlier tasks returned these results."""
    operator = kind(task_id="t", **arguments)
    ExecutorSafeguard.tracker.set(operator)
    return operator.execute(run_context.context(results))
