"""The MLflow hook against a real MLflow server, checked with MLflow's own client where that matters."""

import dataclasses
import time
import uuid

import pytest

from ontap_mlops.hooks.mlflow import MlflowHook
from ontap_mlops.hooks.mlflow_lineage import lineage
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


def some_run_key() -> str:
    return f"r20261120t063000z{uuid.uuid4().hex[:8]}"


def begin_run(hook: MlflowHook, experiment: str = "0", **tags: str) -> str:
    facts = {"experiment_id": experiment, "start_time": int(time.time() * 1000)}
    listed = [{"key": key, "value": value} for key, value in tags.items()]
    return hook.service.part("POST", "runs/create", "begin a run", "run", json={**facts, "tags": listed})["info"][
        "run_id"
    ]


def unregistered(hook: MlflowHook, model: str) -> ModelVersion:
    """Of a DAG run and an MLflow run of its own."""
    run_key, run = some_run_key(), begin_run(hook)
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


def register_by_hand(hook: MlflowHook, model: str) -> None:
    facts = {"name": model, "source": "s3://elsewhere/model"}
    hook.service.part("POST", "model-versions/create", "add", "model_version", json=facts)


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
    register_by_hand(hook, model)
    assert [v for v in hook.model_versions() if v.model == model] == [mine]


def test_a_champion_somebody_else_registered_is_refused_by_name(hook, model):
    hook.register(unregistered(hook, model))
    register_by_hand(hook, model)
    hook.set_champion(model, 2)
    with pytest.raises(ServiceRefused, match=f"Version 2 of model {model} .* was not registered by a promotion"):
        hook.champion(model)


def test_the_description_leads_from_the_model_back_to_the_source(hook, model):
    chain = lineage(dataclasses.replace(unregistered(hook, model), version=4))
    steps = ["version 4", "MLflow run", "6a1f-snapshot", "s3://lake/tyre/", "abc1234", "epochs=3", "accuracy 0.9125"]
    assert [chain.index(step) for step in steps] == sorted(chain.index(step) for step in steps)


@pytest.mark.parametrize("name", ["bob's tyre", "x' or name != 'y", 'say "tyre"', "tyre\\"])
def test_a_model_of_any_name_finds_its_own_versions_and_no_other(hook: MlflowHook, model: str, name: str) -> None:
    odd = f"{model} {name}"
    alike = hook.register(unregistered(hook, odd.replace("'", "x").replace("\\", "x")))
    assert hook.version_of_run(odd, alike.run_key) is None or alike.model == odd
    first = hook.register(unregistered(hook, odd))
    assert hook.register(dataclasses.replace(first, version=0)).version == first.version
    assert first.run_key in [version.run_key for version, _ in hook.versions_with_tags(odd)]
    assert {version.model for version, _ in hook.versions_with_tags(odd)} == {odd}
