"""Where a dataset is, at home and at other sites, and how a form's choice reaches the tasks."""

from __future__ import annotations

from pathlib import Path

import pytest
from jinja2 import StrictUndefined, UndefinedError
from jinja2.sandbox import SandboxedEnvironment

from ontap_mlops import locations, registry

DATASETS = """
datasets:
  tyres: {source: s3://lake/tyre/, volume: tyres, svm: svm1}
  calls: {source: s3://lake/calls/, volume: calls_de, ontap_conn_id: ontap_north}
"""
SITES = "sites:\n  west: {ontap_conn_id: ontap_west, svm: svm_w, cache_bytes: 1GB}\n"


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "datasets.yaml").write_text(DATASETS)
    (tmp_path / "sites.yaml").write_text(SITES)
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path))
    return tmp_path


def rendered(template: str, **params: str) -> str:
    return SandboxedEnvironment(undefined=StrictUndefined).from_string(template).render(params=params)


def test_home_is_where_the_datasets_own_entry_says_and_a_site_is_elsewhere() -> None:
    tyres, calls = registry.dataset("tyres"), registry.dataset("calls")
    home, west = locations.of(tyres), locations.of(tyres, "west")
    assert (home.ontap_conn_id, home.svm, home.keys_conn_id, home.is_home) == (
        "ontap_default",
        "svm1",
        "ontap_s3",
        True,
    )
    assert (west.ontap_conn_id, west.svm, west.is_home) == ("ontap_west", "svm_w", False)
    assert west.keys_conn_id == locations.of(calls, "west").keys_conn_id == "ontap_s3_ontap_west_svm_w"
    assert locations.of(calls).keys_conn_id == "ontap_s3_ontap_north"


def test_an_unknown_site_is_told_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"no site 'east' in .*sites\.yaml; it has \['west'\]"):
        locations.of(registry.dataset("tyres"), "east")


def test_tasks_follow_what_the_form_says() -> None:
    template = locations.chosen(registry.dataset("tyres"), "svm")
    assert [rendered(template, site=site) for site in locations.choices()] == ["svm1", "svm_w"]
    assert rendered(locations.of_dataset("volume"), dataset="calls") == "calls_de"
    assert rendered(locations.of_site("keys_suffix"), site="west") == "_ontap_west_svm_w"
    with pytest.raises(UndefinedError, match="has no attribute 'east'"):
        rendered(template, site="east")


def test_without_other_sites_there_is_nothing_to_follow(config: Path) -> None:
    (config / "sites.yaml").unlink()
    assert locations.chosen(registry.dataset("tyres"), "svm") == "svm1"
