"""The MLflow hook against a real MLflow server, checked with MLflow's own client where that matters."""

import dataclasses
import time
import uuid

import pytest

from ontap_mlops.hooks.mlflow import MlflowHook, lineage
from ontap_mlops.hooks.rest import ServiceRefused
from ontap_mlops.records import DatasetVersion, Deployment, ModelVersion

DATA = DatasetVersion(
    dataset="tyre_images",
    id="v20261120t063000z01234567",
    svm="svm1",
    volume="tyre_images",
    volume_uuid="u1",
    snapshot="mlops_v20261120t063000z01234567",
    snapshot_uuid="6a1f-snapshot",
    created_at="2026-11-20T06:30:00+00:00",
    digest="sha256:01",
    files=600,
    bytes=9_000_000,
    source="s3://lake/tyre/",
)


@pytest.fixture
def hook(mlflow_connection) -> MlflowHook:
    return MlflowHook()


@pytest.fixture
def model() -> str:
    return f"tyre_{uuid.uuid4().hex[:8]}"


def unregistered(hook: MlflowHook, model: str) -> ModelVersion:
    """Of a DAG run and an MLflow run of its own."""
    run_key = f"r20261120t063000z{uuid.uuid4().hex[:8]}"
    begun = {"experiment_id": "0", "start_time": int(time.time() * 1000)}
    run = hook._call("POST", "runs/create", "begin a run", json=begun)["run"]["info"]["run_id"]
    return ModelVersion(
        model=model,
        version=0,
        run_key=run_key,
        mlflow_run_id=run,
        dataset_version=DATA,
        svm="svm1",
        volume="models",
        folder=f"models/{model}/{run_key}",
        digest="sha256:02",
        snapshot=f"mlops_{run_key}",
        snapshot_uuid="u3",
        created_at="2026-11-20T06:40:00+00:00",
        code_commit="abc1234",
        parameters={"epochs": 3},
        metrics={"accuracy": 0.9125},
    )


def test_a_retry_finds_the_version_its_first_try_registered(hook, model):
    first, second = unregistered(hook, model), unregistered(hook, model)
    assert [hook.register(v).version for v in (first, first, second, first)] == [1, 1, 2, 1]


def test_a_try_that_died_before_the_record_was_kept_is_completed_by_the_next(hook, model):
    version = unregistered(hook, model)
    hook._ensure_model(model)
    number = hook._create_version(version)
    assert hook.register(version).version == number
    assert hook.model_version(model, number) == dataclasses.replace(version, version=number)


def test_the_champion_is_none_before_a_deployment_and_the_whole_record_after(hook, model):
    assert hook.champion(model) is None
    registered = hook.register(unregistered(hook, model))
    assert hook.champion(model) is None
    hook.set_champion(model, registered.version)
    assert hook.champion(model) == registered


def test_a_deployment_moves_the_alias_and_stays_readable_with_the_version(hook, model):
    one, two = (hook.register(unregistered(hook, model)) for _ in range(2))
    hook.set_champion(model, one.version)
    deployment = Deployment(
        model_version=two, endpoint="http://x/infer", previous_version=1, proof={"class": "good"}, deployed_at="now"
    )
    hook.mark_deployed(deployment)
    assert hook.champion(model) == two
    facts = hook.client().get_model_version_by_alias(model, "champion")
    assert "6a1f-snapshot" in facts.description
    assert '"class": "good"' in facts.tags["deployment"]


def test_all_registered_versions_are_listed_without_those_others_made(hook, model):
    mine = hook.register(unregistered(hook, model))
    hook._call("POST", "model-versions/create", "add", json={"name": model, "source": "s3://elsewhere/model"})
    assert [v for v in hook.model_versions() if v.model == model] == [mine]


def test_a_champion_somebody_else_registered_is_refused_by_name(hook, model):
    hook.register(unregistered(hook, model))
    hook._call("POST", "model-versions/create", "add", json={"name": model, "source": "s3://elsewhere/model"})
    hook.set_champion(model, 2)
    with pytest.raises(ServiceRefused, match=f"Version 2 of model {model} .* was not registered by a promotion"):
        hook.champion(model)


def test_a_training_is_found_again_by_its_run_key(hook, model):
    version = unregistered(hook, model)
    record = {"run_key": version.run_key, "mlflow_run_id": version.mlflow_run_id, "metrics": {"accuracy": 0.91}}
    hook.record_training(record)
    assert hook.training_record(version.run_key) == record
    found = hook.find_run(version.run_key)
    assert found and found["info"]["run_id"] == version.mlflow_run_id


def test_an_unknown_run_key_says_where_to_find_one(hook):
    assert hook.find_run("r20000101t000000z00000000") is None
    with pytest.raises(ServiceRefused, match="knows no training of run 'r2000.*give the run key of a past training"):
        hook.training_record("r20000101t000000z00000000")


def test_the_description_leads_from_the_model_back_to_the_source(hook, model):
    chain = lineage(dataclasses.replace(unregistered(hook, model), version=4))
    steps = ["version 4", "MLflow run", "6a1f-snapshot", "s3://lake/tyre/", "abc1234", "epochs=3", "accuracy 0.9125"]
    assert [chain.index(step) for step in steps] == sorted(chain.index(step) for step in steps)
