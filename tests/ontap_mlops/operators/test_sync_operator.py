"""What the sync operator tells the program, and that a whole sync runs from a task."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.bases.operator import ExecutorSafeguard
from airflow.sdk.exceptions import AirflowFailException

from ontap_mlops import assets
from ontap_mlops.operators.sync import DataSyncOperator
from tests.conftest import REPOSITORY
from tests.lake import Lake

MOUNTS = {"volume": {"svm": "svm1", "junction_path": "/tyres"}}


@pytest.fixture
def context() -> Any:
    return {
        "ti": SimpleNamespace(max_tries=3, map_index=-1, stats_tags={}, xcom_push=lambda key, value: None),
        "dag_run": SimpleNamespace(dag_id="d", run_id="manual", run_after=datetime(2026, 7, 1, tzinfo=UTC)),
        "task_state_store": None,
    }


@pytest.fixture
def volume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__WORKLOADS_DIR", str(tmp_path / "workloads"))
    place = f"{{kind: local, working_directory: {REPOSITORY}, namespace_roots: {{svm1: {tmp_path}/ns}}}}"
    (tmp_path / "compute.yaml").write_text(f"places:\n  local: {place}\n")
    (tmp_path / "ns" / "tyres").mkdir(parents=True)
    return tmp_path / "ns" / "tyres"


def sync(**fields: Any) -> DataSyncOperator:
    fields = {"source": "s3://lake/tyre/", "destination": "{volume}/data", "mounts": MOUNTS, **fields}
    made = DataSyncOperator(task_id="sync", poll_interval_s=0.1, **fields)
    ExecutorSafeguard.tracker.set(made)
    return made


def connection(monkeypatch: pytest.MonkeyPatch, conn_id: str, **fields: Any) -> None:
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(fields))


def test_the_program_is_told_everything_by_flags(context) -> None:
    made = sync(delete=True, multipart=False, capacity_bytes="1000", connections=4).workload(context)
    assert made.program == "tasks.data.sync"
    assert made.arguments == (
        *("--source", "s3://lake/tyre/", "--destination", "{volume}/data", "--delete", "--no-multipart"),
        *("--connections", "4", "--capacity-bytes", "1000"),
    )
    assert sync().workload(context).arguments[4:] == ("--connections", "16")


def test_the_keys_are_those_of_the_bucket_on_either_side(context, monkeypatch: pytest.MonkeyPatch) -> None:
    connection(monkeypatch, "reading", conn_type="aws", login="R", password="r")
    connection(monkeypatch, "writing", conn_type="aws", login="W", password="w")
    both = {"source_conn_id": "reading", "destination_conn_id": "writing"}
    assert sync(**both).workload(context).secrets["AWS_ACCESS_KEY_ID"] == "R"
    turned = sync(source="{volume}/data", destination="s3://archive/x", **both)
    assert turned.workload(context).secrets["AWS_ACCESS_KEY_ID"] == "W"


def test_a_volume_without_room_is_told_by_ontap_and_no_retry_is_made(
    volume: Path, context, emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ontap_mlops.hooks.ontap import OntapHook
    from ontap_mlops.ontap import volumes

    extra = {"verify": emulator.ca, "svm": "svm1"}
    login = {"host": emulator.host, "port": emulator.port, "login": emulator.user, "password": emulator.password}
    connection(monkeypatch, "cluster", conn_type="ontap", extra=extra, **login)
    with OntapHook("cluster").client() as client:
        volumes.ensure(
            client, svm="svm1", name="sync_room", size_bytes=20 << 20, junction_path="/sync_room", comment="test"
        )
        free = volumes.get(client, svm="svm1", name="sync_room").available_bytes
    assert free
    made = sync(ontap_conn_id="cluster", mounts={"volume": "svm1:/sync_room"})
    assert made.workload(context).arguments[-2:] == ("--capacity-bytes", str(free))
    # Clearing this task alone is enough after the size was raised.
    raised = sync(
        ontap_conn_id="cluster", mounts={"volume": "svm1:/sync_room"}, size_bytes=60 << 20, when_full="raise it"
    )
    *_, room, told, advice = raised.workload(context).arguments
    assert int(room) > free + (30 << 20)
    assert (told, advice) == ("--when-full", "raise it")
    with OntapHook("cluster").client() as client:
        assert volumes.get(client, svm="svm1", name="sync_room").size_bytes == 60 << 20


def test_a_task_brings_a_bucket_to_a_volume(
    volume: Path, context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lake").mkdir()
    lake = Lake(tmp_path / "lake")
    lake.start()
    try:
        lake.client.create_bucket(Bucket="lake")
        lake.put({"good/1.png": b"one"}, "tyre")
        keys = (lake.environment["AWS_ACCESS_KEY_ID"], lake.environment["AWS_SECRET_ACCESS_KEY"])
        extra = {"endpoint_url": lake.environment["AWS_ENDPOINT_URL_S3"]}
        connection(monkeypatch, "source", conn_type="aws", login=keys[0], password=keys[1], extra=extra)
        told: list[Any] = []
        outlet = SimpleNamespace(add=lambda asset, *, extra: told.append(extra["transfer"]))
        context["outlet_events"] = {assets.MOVED: outlet}
        result = sync(source_conn_id="source").execute(context)
        ((way, source, target, size),) = [(each["way"], each["source"], each["target"], each["bytes"]) for each in told]
        assert (way, source, target, size) == ("S3 sync", "s3://lake/tyre", "svm1:tyres", result["bytes"])
        assert (result["copied"], result["files"]) == (1, 1)
        assert (volume / "data/good/1.png").read_bytes() == b"one"
        with pytest.raises(
            AirflowFailException, match=r"tasks\.data\.sync cannot work with its input: .*holds no files"
        ):
            sync(source="s3://lake/nothing/", source_conn_id="source").execute(context)
        assert os.environ.get("AWS_SECRET_ACCESS_KEY") != keys[1]
    finally:
        lake.stop()
