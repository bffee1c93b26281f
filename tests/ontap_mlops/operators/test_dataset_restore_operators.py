"""A dataset goes back to a version: planned, without loss, or refused where a model would lose what it stands on."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import AssetAlias
from airflow.sdk.exceptions import AirflowSkipException

from ontap_mlops.hooks.mlflow import MlflowHook
from ontap_mlops.ontap import dataset_versions, errors, snapshots
from ontap_mlops.operators.dataset_restore import RESTORED, DatasetRestoreOperator, DatasetRestorePlanOperator
from tests.ontap_mlops.operators.protection import context, run

DATASET = {"name": "tyre", "source": "s3://lake/tyre/", "volume": "tyre"}


@pytest.fixture(autouse=True)
def connection(ontap, monkeypatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection())


@pytest.fixture
def versions(client, volume, ontap):
    """Two versions a day apart, and then a file that is in none."""
    top, made = ontap.emulator.namespace / "tyre", []
    for day, content in ((1, b"first"), (2, b"second one")):
        ontap.control("PUT", "/clock", {"now": f"2026-01-0{day}T00:00:00+00:00"})
        (top / "one.png").write_bytes(content)
        facts = {"source": "s", "files": 1, "size": 5, "run_key": f"r2026010{day}t000000z0000000{day}"}
        home = {"svm": "svm1", "volume": "tyre", "dataset": "tyre", "digest": f"{day}" * 64}
        made.append(dataset_versions.freeze(client, **home, **facts).version)
    (top / "new.png").write_bytes(b"in no version")
    yield made
    ontap.control("PUT", "/clock", {"offset_s": 0})


def plan(**arguments: Any) -> dict[str, Any]:
    return run(DatasetRestorePlanOperator, dataset=DATASET, **arguments)


def content(ontap) -> dict[str, bytes]:
    top = ontap.emulator.namespace / "tyre"
    return {path.name: path.read_bytes() for path in top.iterdir() if path.is_file()}


def test_back_to_a_version_and_nothing_is_lost(client, volume, versions, ontap) -> None:
    found = plan(version=versions[0].id)
    assert found["difference"] == {"added": 0, "changed": 1, "removed": 1}
    assert (found["lost_versions"], found["lost_snapshots"]) == ([], [])
    done = run(DatasetRestoreOperator, plan=found)
    assert content(ontap) == {"one.png": b"first"}
    names = {s.name for s in snapshots.list_snapshots(client, volume_uuid=volume.uuid)}
    assert {versions[0].snapshot, versions[1].snapshot, done["safety"]} == names


def test_a_date_means_the_version_that_was_current_then(versions) -> None:
    assert plan(as_of="2026-01-01T12:00:00Z")["dataset_version"]["id"] == versions[0].id
    assert plan(as_of="2026-01-03")["dataset_version"]["id"] == versions[1].id


def test_a_dry_run_changes_nothing_and_skips_the_rest(versions, ontap) -> None:
    before = content(ontap)
    ontap.forget_requests()
    with pytest.raises(AirflowSkipException, match="A dry run: tyre would be put back to version"):
        plan(version=versions[0].id, plan_only="True")
    assert (content(ontap), ontap.writes()) == (before, [])


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({}, "give a version or a date"),
        ({"version": "v1", "as_of": "2026-01-01"}, "give a version or a date"),
        ({"version": "v20260101t000000z00000000"}, "its newest versions are: v2026"),
        ({"as_of": "2025-01-01"}, "has no version as of 2025-01-01"),
        ({"as_of": "last week"}, "'last week' is no date or time"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(versions, asked, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        plan(**asked)


def models(monkeypatch, *stand_on: Any) -> None:
    found = [SimpleNamespace(model="tyre", version=3, dataset_version=version) for version in stand_on]
    monkeypatch.setattr(MlflowHook, "model_versions", lambda self: found)


def test_without_safety_newer_versions_are_named_and_lost(client, volume, versions, ontap, monkeypatch) -> None:
    models(monkeypatch, versions[0])
    found = plan(version=versions[0].id, safety="False")
    assert (found["lost_versions"], found["safety"]) == ([versions[1].id], False)
    assert run(DatasetRestoreOperator, plan=found)["safety"] is None
    assert content(ontap) == {"one.png": b"first"}
    assert [s.name for s in snapshots.list_snapshots(client, volume_uuid=volume.uuid)] == [versions[0].snapshot]


def test_without_safety_a_version_that_a_model_stands_on_is_not_lost(versions, ontap, monkeypatch) -> None:
    models(monkeypatch, versions[1])
    before = content(ontap)
    with pytest.raises(ValueError, match=f"version {versions[1].id}, which would be lost, is what model tyre 3 was"):
        plan(version=versions[0].id, safety=False)
    assert content(ontap) == before


def test_what_came_since_the_plan_is_not_lost(client, volume, versions, ontap, monkeypatch) -> None:
    models(monkeypatch)
    found = plan(version=versions[0].id, safety=False)
    snapshots.ensure(client, volume_uuid=volume.uuid, name="came_since", comment="x")
    with pytest.raises(ValueError, match="since the plan was made, came_since came"):
        run(DatasetRestoreOperator, plan=found)


def test_the_asset_of_the_dataset_has_an_event_with_the_version(versions) -> None:
    told = []
    alias = SimpleNamespace(add=lambda asset, extra: told.append((asset.uri, extra["dataset_version"]["id"])))
    events = {AssetAlias(RESTORED): alias}
    found = plan(version=versions[0].id)
    operator = DatasetRestoreOperator(task_id="t", plan=found, outlets=[AssetAlias(RESTORED)])
    from airflow.sdk.bases.operator import ExecutorSafeguard

    ExecutorSafeguard.tracker.set(operator)
    operator.execute(context() | {"outlet_events": events})
    assert told == [("ontap://dataset/tyre", versions[0].id)]


def test_a_version_whose_snapshot_went_meanwhile_is_not_found(client, volume, versions) -> None:
    found = plan(version=versions[0].id)
    snapshots.delete(client, volume_uuid=volume.uuid, name=versions[0].snapshot)
    with pytest.raises(errors.NotFound, match="it may have been removed"):
        run(DatasetRestoreOperator, plan=found)
