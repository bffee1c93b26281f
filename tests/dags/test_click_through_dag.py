"""The shape of the DAG `click_through`, without a scheduler: what a run is made of, and what is undone after it."""

from __future__ import annotations

import pytest


def test_one_training_for_each_engine_and_one_at_a_time(dags):
    train = dags["click_through"].get_task("train")
    assert train.is_mapped
    assert train.max_active_tis_per_dagrun == 1, "engines that share cores say nothing about their ratio"


def test_clone_and_service_level_are_undone_in_any_case(dags):
    dag = dags["click_through"]
    undone = {"create_workspace": "delete_workspace", "raise_qos": "lower_qos"}
    for setup, teardown in undone.items():
        assert dag.get_task(setup).is_setup
        assert dag.get_task(teardown).is_teardown
        assert setup in dag.get_task(teardown).upstream_task_ids
        assert "train" in dag.get_task(setup).get_flat_relative_ids(upstream=False)


def test_rows_are_scored_by_the_new_model_or_the_deployed_one_before_anything_is_deployed(dags):
    dag = dags["click_through"]
    score = dag.get_task("score")
    assert {"decide", "promote.register"} <= score.upstream_task_ids
    assert score.model, "the version that the run registered, not the champion of before it"
    assert "score" in dag.get_task("deploy.confirm").get_flat_relative_ids(upstream=True)
    assert dag.get_task("score").model, "it is told which model to use"


def test_old_results_go_only_after_the_new_ones_are_frozen(dags):
    dag = dags["click_through"]
    for task in ("retention.folders", "retention.snapshots"):
        assert dag.get_task(task).upstream_task_ids == {"freeze"}
        assert "summary" in dag.get_task(task).downstream_task_ids


def test_the_default_parameters_are_valid(dags):
    params = dags["click_through"].params
    params.validate()
    assert params["engines"] == ["pandas", "dask"]
    with pytest.raises(Exception, match="engines"):
        params["engines"] = ["spark"]
