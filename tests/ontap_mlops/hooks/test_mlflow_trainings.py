"""Records of trainings on a real MLflow server: kept whole, found by run key, recognised when asked for again."""

import dataclasses
import json

import pytest

from ontap_mlops.hooks.mlflow import MlflowHook
from ontap_mlops.hooks.rest import ServiceRefused
from ontap_mlops.records import TrainingRecord
from tests.ontap_mlops.hooks.test_mlflow_hook import DATA, begin_run, some_run_key


@pytest.fixture
def hook(mlflow_connection) -> MlflowHook:
    return MlflowHook()


def trained(hook: MlflowHook, **facts) -> TrainingRecord:
    made = {
        "run_key": some_run_key(),
        "mlflow_run_id": begin_run(hook),
        "dataset_version": DATA,
        "parameters": {"epochs": 3, "seed": 1},
        "metrics": {"accuracy": 0.91},
        "code_commit": some_run_key(),
        "dag_id": "tyre_quality",
        "model": "tyre",
    }
    return TrainingRecord(**{**made, **facts})


def tag(hook: MlflowHook, run_id: str, key: str, value: str) -> None:
    hook.service.change("POST", "runs/set-tag", "tag", json={"run_id": run_id, "key": key, "value": value})


def tag_of(hook: MlflowHook, run_key: str, key: str) -> str:
    run = hook.find_run(run_key)
    assert run
    return {t["key"]: t["value"] for t in run["data"]["tags"]}[key]


def same(hook: MlflowHook, record: TrainingRecord, **other) -> TrainingRecord | None:
    asked = {
        "snapshot_uuid": record.dataset_version.snapshot_uuid,
        "parameters": record.parameters,
        "code_commit": record.code_commit,
        "dag_id": record.dag_id,
        "model": record.model,
    }
    return hook.find_training(**{**asked, **other})


def test_a_training_is_found_again_by_its_run_key(hook):
    record = trained(hook)
    hook.record_training(record)
    assert hook.training_record(record.run_key) == record
    assert json.loads(tag_of(hook, record.run_key, "record")) == record.to_json()


def test_a_record_longer_than_a_tag_of_mlflow_stays_whole(hook):
    record = trained(hook, parameters={"columns": [f"column number {n}" for n in range(2000)]})
    hook.record_training(record)
    assert tag_of(hook, record.run_key, "record") == "record.json"
    assert hook.training_record(record.run_key) == record


def test_a_record_kept_as_a_tag_by_an_earlier_release_is_still_read(hook):
    record = trained(hook)
    kept = {key: value for key, value in record.to_json().items() if key not in ("schema", "dag_id", "model")}
    tag(hook, record.mlflow_run_id, "run_key", record.run_key)
    tag(hook, record.mlflow_run_id, "record", json.dumps(kept))
    assert hook.training_record(record.run_key) == dataclasses.replace(record, dag_id="", model="")


def test_a_record_of_a_newer_release_says_so(hook):
    record = trained(hook)
    tag(hook, record.mlflow_run_id, "run_key", record.run_key)
    tag(hook, record.mlflow_run_id, "record", json.dumps({"schema": 99, "training": "told otherwise"}))
    with pytest.raises(ServiceRefused, match=f"record of MLflow run {record.mlflow_run_id} .* newer release"):
        hook.training_record(record.run_key)


def test_a_run_is_found_among_other_runs_of_its_key_and_more_experiments_than_one_page_holds(hook, monkeypatch):
    monkeypatch.setattr("ontap_mlops.hooks.mlflow_service._PAGE", 2)
    for _ in range(4):
        hook.service.call("POST", "/api/2.0/mlflow/experiments/create", asked="begin", json={"name": some_run_key()})
    oldest = trained(hook)
    for _ in range(3):
        begin_run(hook, run_key=oldest.run_key)
    hook.record_training(oldest)
    found = hook.find_run(oldest.run_key)
    assert found and found["info"]["run_id"] == oldest.mlflow_run_id


def test_an_unknown_run_key_says_where_to_find_one(hook):
    assert hook.find_run("r20000101t000000z00000000") is None
    with pytest.raises(ServiceRefused, match="knows no training of run 'r2000.*give the run key of a past training"):
        hook.training_record("r20000101t000000z00000000")


def test_the_same_training_is_recognised_and_any_other_is_not(hook):
    first, second = trained(hook), None
    assert same(hook, first) is None
    hook.record_training(first)
    assert same(hook, first) == first
    second = dataclasses.replace(first, run_key=some_run_key(), mlflow_run_id=begin_run(hook))
    hook.record_training(second)
    assert same(hook, first) == second
    others = [
        {"parameters": {**first.parameters, "seed": 2}},
        {"snapshot_uuid": "another"},
        {"code_commit": "another"},
        {"dag_id": "another"},
        {"model": "another"},
    ]
    assert [same(hook, first, **other) for other in others] == [None] * len(others)


def test_trainings_by_unknown_code_are_never_the_same(hook):
    record = trained(hook, code_commit="unknown", parameters={"epochs": some_run_key()})
    hook.record_training(record)
    assert same(hook, record) is None


@pytest.mark.parametrize("odd", ["it's", "x' or tags.run_key != '", 'say "x"', "back\\", "100%", "a_b"])
def test_a_run_key_of_any_letters_finds_its_own_training_and_no_other(hook: MlflowHook, odd: str) -> None:
    key = f"{some_run_key()}{odd}"
    alike = key.replace("'", "x").replace("_", "x").replace("\\", "x").replace("%", "x")
    if alike != key:
        hook.record_training(trained(hook, run_key=alike))
    assert hook.find_run(key) is None
    kept = trained(hook, run_key=key)
    hook.record_training(kept)
    assert hook.training_record(key).mlflow_run_id == kept.mlflow_run_id
