"""The MLflow hook against a real MLflow server, checked with MLflow's own client where that matters."""

import dataclasses
import json
import time
import uuid

import pytest

from ontap_mlops.hooks.mlflow import MlflowHook
from ontap_mlops.hooks.mlflow_lineage import lineage
from ontap_mlops.hooks.rest import ServiceRefused
from ontap_mlops.records import DatasetVersion, Deployment, Experiment, ModelVersion

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


def test_of_every_model_all_versions_are_listed_with_their_tags_and_what_serves(hook, model):
    one, two = (hook.register(unregistered(hook, model)) for _ in range(2))
    register_by_hand(hook, model)
    hook.retire(one)
    hook.set_champion(model, two.version)
    listed = {version.version: tags for version, tags in hook.versions_of_all() if version.model == model}
    assert set(listed) == {1, 2} and "retired" in listed[1] and "retired" not in listed[2]
    assert hook.champions()[model] == 2


def test_a_record_that_cannot_be_read_hides_no_other(hook, model):
    one, two = (hook.register(unregistered(hook, model)) for _ in range(2))
    hook._tag_version(one, "record", {"schema": 99})
    assert [version for version, _ in hook.versions_of_all() if version.model == model] == [two]


def test_runs_on_a_dataset_version_are_found_newest_first(hook, model):
    version = f"v20261120t063000z{uuid.uuid4().hex[:8]}"
    begun = [begin_run(hook, dataset_version=version, run_key=some_run_key()) for _ in range(2)]
    begin_run(hook, dataset_version=version + "0")
    assert {run["info"]["run_id"] for run in hook.runs_on(version)} == set(begun)
    starts = [run["info"]["start_time"] for run in hook.runs_on(version)]
    assert starts == sorted(starts, reverse=True)


def test_the_hub_tells_the_state_of_each_version_and_leads_from_data_to_models(hook, model):
    from ontap_mlops.ui.facts import models

    before, serving, waiting = (hook.register(unregistered(hook, model)) for _ in range(3))
    for version in (before, serving):
        deployed = {"endpoint": "http://x/infer", "previous_version": None, "proof": {}, "deployed_at": "2026-11-20"}
        hook.mark_deployed(Deployment(model_version=version, **deployed))
    found = {each.version: each for each in models.registered() if each.model == model}
    assert [found[n].state for n in (1, 2, 3)] == ["served before", "serving", "registered"]
    assert (found[1].endpoint, found[2].endpoint) == ("", "http://x/infer")
    assert {each.dataset_version for each in found.values()} == {waiting.dataset_version.id}
    run = begin_run(hook, dataset_version=DATA.id, run_key="r1", airflow_run="tyre_quality/manual__1", record="{}")
    (training,) = [each for each in models.trainings(DATA.id) if run in each.mlflow_url]
    assert (training.dag_id, training.run_id, training.repeatable) == ("tyre_quality", "manual__1", True)


def test_the_hub_tells_first_what_decides_and_leads_from_a_run_to_what_it_froze(hook, model):
    from ontap_mlops.ui.facts import models

    version, key = f"v20261120t063000z{uuid.uuid4().hex[:8]}", some_run_key()
    record = json.dumps({"metrics": {"recall": 0.8, "accuracy": 0.9}})
    run = begin_run(hook, dataset_version=version, run_key=key, record=record)
    hook.trainings.keep_reads(run, "source", {"accuracy": 0.5, "epoch_s": 3.0})
    (training,) = models.trainings(version)
    assert list(training.metrics.items()) == [("recall", 0.8), ("accuracy", 0.9), ("epoch_s", 3.0)]
    assert not training.experiment and models.experiment(key) is None and models.experiment(f"{key}0") is None
    frozen = Experiment(
        run_key=key,
        mlflow_run_id=run,
        model=model,
        dataset_version=DATA,
        svm="svm1",
        volume=f"mlops_exp_{key}",
        volume_uuid="u",
        snapshot=f"mlops_{key}",
        snapshot_uuid="s",
        created_at="2026-11-20T06:30:00+00:00",
        code_commit="abc",
        programs={"train": "tasks.lane.train"},
    )
    hook.experiments.freeze(frozen)
    assert models.trainings(version)[0].experiment
    shown, of_run = models.experiment(key)
    assert (shown.volume, shown.dataset_version, of_run.run_key) == (frozen.volume, DATA.id, key)
