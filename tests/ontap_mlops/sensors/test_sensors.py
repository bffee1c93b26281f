"""Sensors on ONTAP: in the worker or in the triggerer, past an ONTAP that does not answer, and to their time limit."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSensorTimeout, AirflowSkipException, TaskDeferred

from ontap_mlops.ontap import dataset_versions, errors, snapshots, volumes
from ontap_mlops.sensors.snapshots import OntapSnapshotSensor
from ontap_mlops.sensors.versions import DatasetVersionSensor
from tests.ontap_mlops.conftest import SVM
from tests.ontap_mlops.operators.running import Run

DATASET = {"name": "tyres", "source": "s3://lake/tyre/", "volume": "tyre"}


@pytest.fixture(autouse=True)
def connection(ontap, monkeypatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection())
    monkeypatch.setattr("ontap_mlops.ontap.client._PAUSES_S", ())


def freeze(client, number: int) -> Any:
    facts = {"source": "s3://lake/", "digest": f"sha256:{number:08d}", "files": 1, "size": 1, "run_key": f"r{number}"}
    return dataset_versions.freeze(client, svm=SVM, volume="tyre", dataset="tyres", **facts).version


def waited(sensor: type, meanwhile: Any = None, **arguments: Any) -> Any:
    """Run to the end: what is deferred is waited for as the triggerer does, and resumed. ``meanwhile`` runs between."""
    run = Run()
    try:
        return run.execute(sensor, poke_interval=0.05, **{"timeout": 20, **arguments})
    except TaskDeferred as deferred:
        if meanwhile:
            meanwhile()
        operator = sensor(task_id="t", poke_interval=0.05, **{"timeout": 20, **arguments})
        trigger = type(deferred.trigger)(**deferred.trigger.serialize()[1])

        async def event() -> Any:
            return await anext(trigger.run())

        payload = asyncio.run(event()).payload
        return getattr(operator, deferred.method_name)(run.context("t"), payload)


def pokes(sensor: type, **arguments: Any) -> bool:
    operator = sensor(task_id="t", deferrable=False, **arguments)
    return bool(operator.poke(Run().context("t")))


def test_a_version_is_waited_for_in_the_triggerer(client, volume) -> None:
    made: list[Any] = []
    told = waited(DatasetVersionSensor, lambda: made.append(freeze(client, 1)), dataset=DATASET)
    assert told == made[0].to_json()


def test_a_newer_version_is_one_after_the_version_or_the_time_that_is_named(client, volume, ontap) -> None:
    assert not pokes(DatasetVersionSensor, dataset=DATASET)
    old = freeze(client, 1)
    assert pokes(DatasetVersionSensor, dataset=DATASET)
    assert not pokes(DatasetVersionSensor, dataset=DATASET, newer_than=old.id)
    ontap.control("PUT", "/clock", {"offset_s": 3600})
    new = freeze(client, 2)
    assert pokes(DatasetVersionSensor, dataset=DATASET, newer_than=old.id)
    assert pokes(DatasetVersionSensor, dataset=DATASET, newer_than=old.created_at)
    assert not pokes(DatasetVersionSensor, dataset=DATASET, newer_than=new.id)
    snapshots.delete(client, volume_uuid=volume.uuid, name=old.snapshot)
    assert pokes(DatasetVersionSensor, dataset=DATASET, newer_than=old.id), "a removed one is known by its id"


def test_what_is_neither_version_nor_time_fails_at_once(client, volume) -> None:
    freeze(client, 1)
    with pytest.raises(errors.InvalidRequest, match="newer_than is 'yesterday'.*give it like"):
        waited(DatasetVersionSensor, dataset=DATASET, newer_than="yesterday")


def test_adopted_snapshots_are_versions_to_wait_for(client, volume) -> None:
    snapshots.ensure(client, volume_uuid=volume.uuid, name="weekly.1", comment="")
    assert not pokes(DatasetVersionSensor, dataset=DATASET)
    assert pokes(DatasetVersionSensor, dataset={**DATASET, "watch": {"adopt": "weekly.*"}})


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_snapshot_is_waited_for_by_pattern_and_label(client, volume, deferrable) -> None:
    snapshots.ensure(client, volume_uuid=volume.uuid, name="weekly.1", comment="", label="silver")
    made = snapshots.ensure(client, volume_uuid=volume.uuid, name="weekly.2", comment="by hand", label="gold")
    facts = {"volume": "tyre", "snapshot": "weekly.*", "snapmirror_label": "gold", "deferrable": deferrable}
    told = waited(OntapSnapshotSensor, **facts)
    assert (told["uuid"], told["comment"], told["label"]) == (made.uuid, "by hand", "gold")
    assert not pokes(OntapSnapshotSensor, volume="tyre", snapshot="daily.*")
    assert not pokes(OntapSnapshotSensor, volume="tyre", newer_than="2999-01-01")


def test_a_volume_that_is_not_there_fails_at_once(client) -> None:
    with pytest.raises(errors.NotFound, match="nowhere"):
        waited(OntapSnapshotSensor, volume="nowhere")


@pytest.mark.parametrize("deferrable", [True, False])
def test_an_ontap_that_does_not_answer_is_asked_again(client, volume, ontap, deferrable) -> None:
    freeze(client, 1)
    ontap.fault("GET", "/storage/volumes.*", "refuse", times=3)
    assert waited(DatasetVersionSensor, dataset=DATASET, deferrable=deferrable)["dataset"] == "tyres"


@pytest.mark.parametrize("deferrable", [True, False])
def test_the_time_limit_fails_the_task_or_skips_it(client, volume, deferrable) -> None:
    facts = {"dataset": DATASET, "timeout": 0.2, "deferrable": deferrable}
    with pytest.raises(AirflowSensorTimeout):
        waited(DatasetVersionSensor, **facts)
    with pytest.raises(AirflowSkipException):
        waited(DatasetVersionSensor, soft_fail=True, **facts)


def test_a_dataset_without_a_volume_yet_is_waited_for(client, volume) -> None:
    volumes.delete(client, svm=SVM, name="tyre")
    assert not pokes(DatasetVersionSensor, dataset=DATASET)
