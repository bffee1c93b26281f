"""The shape of the DAG `chest_xray`, without a scheduler: where the data is read, and what is undone after it."""

from __future__ import annotations

import pytest


def test_programs_read_the_cache_that_comes_before_them(dags):
    dag = dags["chest_xray"]
    cache = dag.get_task("cache")
    assert cache.upstream_task_ids == {"choose", "create_workspace"} - {"choose"}
    for task_id in ("train", "evaluate", "deploy.prove"):
        assert dag.get_task(task_id).cached == "cache"
        assert "cache" in dag.get_task(task_id).get_flat_relative_ids(upstream=True)


def test_the_lease_on_the_cache_ends_in_any_case_and_after_the_last_program(dags):
    dag = dags["chest_xray"]
    release = dag.get_task("release_cache")
    assert release.is_teardown and dag.get_task("cache").is_setup and "cache" in release.upstream_task_ids
    assert {"train", "evaluate", "deploy.prove"} <= release.get_flat_relative_ids(upstream=True)


def test_what_was_read_is_told_by_the_summary(dags):
    summary = dags["chest_xray"].get_task("summary")
    assert summary.facts["reads"] == "reads" and "reads" in summary.upstream_task_ids


def test_the_form_offers_the_sites_and_is_valid_as_it_stands(dags):
    params = dags["chest_xray"].params
    params.validate()
    assert params.get_param("cache_at").schema["enum"] == ["compute", "source", "remote"]
    assert (params["cache_at"], params["configuration"]) == ("compute", "small")
    with pytest.raises(Exception, match="cache_at"):
        params["cache_at"] = "moon"


def test_other_systems_have_no_cache(dags):
    assert "cache" not in dags["tyre_quality"].task_ids and "cache_at" not in dags["tyre_quality"].params
