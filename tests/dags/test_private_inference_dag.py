"""The shape of the DAG `private_inference`, without a scheduler: what is tried, and what follows the deployment."""

from __future__ import annotations

import pytest

SCENARIOS = ("on_demand.notebook", "batch.folds", "served.ask")


@pytest.fixture
def dag(dags):
    return dags["private_inference"]


def test_each_alpha_is_a_task_of_its_own(dag):
    assert dag.get_task("sweep").is_mapped
    assert dag.get_task("alphas").parameter == "alphas"
    assert dag.get_task("pick").upstream_task_ids == {"sweep"}


def test_the_three_ways_of_use_come_after_the_deployment_and_before_the_end(dag):
    for task_id in SCENARIOS:
        assert "deploy.confirm" in dag.get_task(task_id).upstream_task_ids
        assert task_id in dag.get_task("delete_workspace").get_flat_relative_ids(upstream=True)
    assert dag.get_task("served.ask").endpoint == "deploy.load"


def test_a_network_is_taken_from_a_volume_that_is_there(dag):
    assert "model_volume" in dag.get_task("train").upstream_task_ids
    assert set(dag.get_task("train").volumes) == {"workspace", "models"}


@pytest.mark.parametrize("alphas", [[0], [0, 1], [-0.1, 0.5], [0, 0.5, 0.5], ["strong", 0]])
def test_the_form_refuses_an_alpha_out_of_range(dag, alphas):
    dag.params.validate()
    with pytest.raises(Exception, match="alphas"):
        dag.params["alphas"] = alphas
