"""The DAGs that make and fill volumes: each dataset on its own connection and SVM."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

DAGS = Path(__file__).parents[2] / "dags"
DATASETS = """
datasets:
  tyre_images: {source: s3://lake/tyre/, volume: tyre_images, svm: svm1}
  labels: {source: s3://lake/labels/, volume: labels, svm: svm2}
  clicks: {source: s3://lake/clicks/, volume: clicks, svm: svm1}
  calls: {source: s3://lake/calls/, volume: calls, ontap_conn_id: ontap_west}
"""


@pytest.fixture
def dags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    from airflow.dag_processing.dagbag import DagBag

    (tmp_path / "datasets.yaml").write_text(DATASETS)
    (tmp_path / "compute.yaml").write_text("places:\n  local: {kind: local}\n")
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path))
    found = {}
    for name in ("provision_ontap.py", "ingest.py"):
        bag = DagBag(str(DAGS / name))
        assert bag.import_errors == {}
        found |= bag.dags
    return found


def mapped(dag: Any, task: str) -> list[dict[str, Any]]:
    return dag.get_task(task).expand_input.value


def test_each_volume_is_made_through_its_own_connection_on_its_own_svm(dags) -> None:
    made = {v["volume"]: (v["ontap_conn_id"], v["svm"]) for v in mapped(dags["provision_ontap"], "volumes")}
    assert made == {
        "tyre_images": ("ontap_default", "svm1"),
        "clicks": ("ontap_default", "svm1"),
        "labels": ("ontap_default", "svm2"),
        "calls": ("ontap_west", ""),
    }


def test_each_bucket_is_made_where_its_volume_is(dags) -> None:
    made = {(v["ontap_conn_id"], v["svm"]): v["buckets"] for v in mapped(dags["provision_ontap"], "s3")}
    assert made == {
        ("ontap_default", "svm1"): {"tyre-images": "/tyre_images", "clicks": "/clicks"},
        ("ontap_default", "svm2"): {"labels": "/labels"},
        ("ontap_west", ""): {"calls": "/calls"},
    }
    assert dags["provision_ontap"].get_task("s3").max_active_tis_per_dagrun == 1


def test_the_keys_of_each_svm_have_a_place_of_their_own(dags) -> None:
    given = [v["secret_suffix"] for v in mapped(dags["provision_ontap"], "s3")]
    assert given == ["", "_svm2", "_ontap_west"]


def test_every_step_of_an_ingest_speaks_to_the_datasets_own_system(dags) -> None:
    for dag, connection in (("ingest_calls", "ontap_west"), ("ingest_labels", "ontap_default")):
        steps = {t.task_id: t.ontap_conn_id for t in dags[dag].tasks if hasattr(t, "ontap_conn_id")}
        assert set(steps) == {"ensure_volume", "sync", "check", "freeze", "retention", "collect_workspaces"}
        assert set(steps.values()) == {connection}
    assert dags["ingest_labels"].get_task("collect_workspaces").svm == "svm2"


def test_collecting_is_the_last_step_and_hides_no_failure(dags) -> None:
    collect = dags["ingest_labels"].get_task("collect_workspaces")
    assert (collect.upstream_task_ids, collect.downstream_task_ids) == ({"retention"}, set())
    assert collect.trigger_rule == "none_failed"


def test_no_field_of_the_form_decides_where_keys_are_written(dags) -> None:
    provision = dags["provision_ontap"]
    assert not [name for name in provision.params if "secret" in name or "store" in name]
    assert "secret_store" not in provision.get_task("s3").partial_kwargs


def test_a_volume_that_is_too_small_is_answered_with_the_key_of_datasets_yaml_and_grown_by_clearing_sync(dags) -> None:
    task = dags["ingest_tyre_images"].get_task("sync")
    assert "raise size of tyre_images in datasets.yaml, which is 10GB, and clear this task" in task.when_full
    assert task.size_bytes == 10 << 30
    assert task.asks_for_room
