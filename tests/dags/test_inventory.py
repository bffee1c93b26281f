"""Which DAGs there are, how large their pages are, and what happens where a dataset is not configured."""

from __future__ import annotations

import re

import pytest
import yaml

from tests.dags.conftest import DAGS
from tests.dags.inventory import AT_SITES, EVERY, TRAINING

MOST_LINES = 150


def test_every_dag_is_on_this_list(dags):
    assert set(dags) == EVERY, "a new DAG joins tests/dags/inventory.py"


@pytest.mark.parametrize("path", sorted(DAGS.glob("*.py")), ids=lambda path: path.name)
def test_a_dag_file_is_one_page(path):
    text = path.read_text()
    assert len(text.splitlines()) <= MOST_LINES
    assert "{{{" not in text and "xcom_pull" not in text and "user_defined_macros" not in text
    assert not re.search(r"""\bf["'][^\n]*\{\{""", text), "no template language inside another"


def test_a_dag_whose_dataset_is_not_configured_is_absent_not_broken(tmp_path, monkeypatch):
    from airflow.dag_processing.dagbag import DagBag

    config = DAGS.parent / "config"
    known = yaml.safe_load((config / "datasets.yaml").read_text())
    del known["datasets"]["ctr_days"]
    (tmp_path / "datasets.yaml").write_text(yaml.safe_dump(known))
    for name in ("compute.yaml", "drift.yaml", "sites.yaml", "edge_sites.yaml"):
        (tmp_path / name).write_text((config / name).read_text())
    for name in ("ONTAP_MLOPS_CONFIG_DIR", "AIRFLOW__ONTAP_MLOPS__CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    bag = DagBag(str(DAGS))
    assert bag.import_errors == {}
    assert set(bag.dags) == EVERY - {"click_through", "drift_ctr", "ingest_ctr_days"}


def test_a_mistake_in_one_dataset_takes_its_dags_only_and_stands_in_the_list_of_import_errors(tmp_path, monkeypatch):
    from airflow.dag_processing.dagbag import DagBag

    config = DAGS.parent / "config"
    text = (config / "datasets.yaml").read_text().replace("    volume: ctr_days", "    volum: ctr_days")
    (tmp_path / "datasets.yaml").write_text(text)
    for name in ("compute.yaml", "drift.yaml", "sites.yaml", "edge_sites.yaml"):
        (tmp_path / name).write_text((config / name).read_text())
    for name in ("ONTAP_MLOPS_CONFIG_DIR", "AIRFLOW__ONTAP_MLOPS__CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    bag = DagBag(str(DAGS))
    assert set(bag.dags) == EVERY - {"click_through", "drift_ctr", "ingest_ctr_days"}
    ((_, error),) = bag.import_errors.items()
    line = text[: text.index("volum:")].count("\n") + 1
    assert f"{tmp_path}/datasets.yaml:{line}: unknown key 'volum', did you mean 'volume'?" in error
    assert "(in datasets.ctr_days.volum)" in error


def test_without_another_site_there_is_nothing_to_cache_at(tmp_path, monkeypatch):
    from airflow.dag_processing.dagbag import DagBag

    for name in ("datasets.yaml", "compute.yaml"):
        (tmp_path / name).write_text((DAGS.parent / "config" / name).read_text())
    for name in ("ONTAP_MLOPS_CONFIG_DIR", "AIRFLOW__ONTAP_MLOPS__CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    bag = DagBag(str(DAGS))
    assert bag.import_errors == {}
    assert not AT_SITES & set(bag.dags)


def test_a_mistake_in_a_site_stands_in_the_list_of_import_errors(tmp_path, monkeypatch):
    from airflow.dag_processing.dagbag import DagBag

    for file in (DAGS.parent / "config").glob("*.yaml"):
        (tmp_path / file.name).write_text(file.read_text().replace("cache_bytes: 1GB", "cache_bytes: much"))
    for name in ("ONTAP_MLOPS_CONFIG_DIR", "AIRFLOW__ONTAP_MLOPS__CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    bag = DagBag(str(DAGS))
    ((_, error),) = bag.import_errors.items()
    assert "sites.yaml:" in error and "'much' does not fit" in error and "(in sites.remote.cache_bytes)" in error
    assert set(bag.dags) >= EVERY - AT_SITES


def test_every_dag_has_a_page_and_one_that_starts_by_itself_valid_defaults(dags):
    for dag in dags.values():
        assert dag.doc_md.strip().startswith("# "), dag.dag_id
        if dag.timetable.can_be_scheduled or dag.dag_id in TRAINING:
            dag.params.validate()
