"""The forms of the DAGs that restore datasets and rotate keys, and what follows from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import ParamValidationError

DAGS = Path(__file__).parents[2] / "dags"
DATASETS = """
datasets:
  tyre_images: {source: s3://lake/tyre/, volume: tyre_images, svm: svm1}
  labels: {source: s3://lake/labels/, volume: labels, svm: svm2}
"""
SITES = "sites:\n  west: {ontap_conn_id: ontap_west, svm: svm3, cache_bytes: 1GB}\n"


@pytest.fixture
def dags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    from airflow.dag_processing.dagbag import DagBag

    (tmp_path / "datasets.yaml").write_text(DATASETS)
    (tmp_path / "sites.yaml").write_text(SITES)
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path))
    found = {}
    for name in ("restore_dataset.py", "rotate_s3_keys.py"):
        bag = DagBag(str(DAGS / name))
        assert bag.import_errors == {}
        found |= bag.dags
    return found


def test_a_restore_begins_with_a_dry_run_and_loses_nothing_by_itself(dags) -> None:
    params = dags["restore_dataset"].params
    assert (params["dry_run"], params["safety"]) == (True, True)
    with pytest.raises(ParamValidationError):
        params.validate()
    params["dataset"] = "labels"
    params.validate()
    with pytest.raises(ParamValidationError):
        params["dataset"] = "unknown"
        params.validate()


def test_nothing_is_restored_before_the_plan(dags) -> None:
    dag = dags["restore_dataset"]
    assert dag.get_task("plan").downstream_task_ids == {"restore"}
    assert [outlet.name for outlet in dag.get_task("restore").outlets] == ["datasets_restored"]


def test_old_keys_go_only_after_the_new_ones_are_everywhere(dags) -> None:
    dag = dags["rotate_s3_keys"]
    assert dag.get_task("retire").upstream_task_ids == {"systems", "rotate"}
    assert dag.params["old_keys_stay_hours"] == 24


def test_each_svm_with_datasets_has_keys_in_a_place_of_their_own(dags) -> None:
    systems = dags["rotate_s3_keys"].get_task("systems").python_callable
    every = systems("every SVM with datasets")
    assert [(place["svm"], place["secret_suffix"]) for place in every] == [("svm1", ""), ("svm2", "_svm2")]
    assert [place["svm"] for place in systems("svm2 of ontap_default")] == ["svm2"]
    (site,) = systems("site west")
    assert site == {"ontap_conn_id": "ontap_west", "svm": "svm3", "secret_suffix": "_ontap_west_svm3"}


def test_no_field_of_a_form_decides_where_keys_are_written(dags) -> None:
    assert not [name for name in dags["rotate_s3_keys"].params if "secret" in name or "store" in name]
