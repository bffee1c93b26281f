"""The shape of the DAG `model_rollout`: a stage waits for the judgement of the one before; a failed run is red."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from airflow.sdk.exceptions import ParamValidationError

from ontap_mlops.operators.edge import STAGES
from tests.dags.test_run_state import Instance

DAGS = Path(__file__).parents[2] / "dags"


@pytest.fixture(scope="module")
def dag():
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(str(DAGS / "model_rollout.py"))
    assert bag.import_errors == {}
    return bag.dags["model_rollout"]


def test_a_model_must_be_named_and_nothing_else(dag):
    with pytest.raises(ParamValidationError):
        dag.params.validate()
    dag.params["model"] = "tyre"
    dag.params.validate()


def test_no_site_of_a_stage_is_touched_before_the_stage_before_is_judged(dag):
    for before, after in itertools.pairwise(STAGES):
        judged = dag.get_task(f"{after}_sites").get_flat_relative_ids(upstream=True)
        assert f"{before}.serve" in judged
        touched = dag.get_task(f"{after}.bring").get_flat_relative_ids(upstream=True)
        assert f"{after}_sites" in touched
        assert dag.get_task(f"{after}.bring").trigger_rule.value == "all_success"


def test_what_a_restart_serves_changes_only_after_the_last_judgement(dag):
    assert "judge" in dag.get_task("activate").get_flat_relative_ids(upstream=True)


def test_a_stage_that_failed_puts_back_and_the_run_is_red(dag):
    from airflow.models.dagrun import DagRun

    assert dag.get_task("changed").upstream_task_ids == {"tenth_sites", "rest_sites", "judge"}
    assert dag.get_task("changed").trigger_rule.value == "one_failed"
    instances = [Instance(name) for name in dag.task_ids]
    counted = {instance.task_id for instance in DagRun._tis_for_dagrun_state(None, dag=dag, tis=instances)}
    assert counted == {"done", "put_back.serve"}
    assert "judge" in dag.get_task("done").get_flat_relative_ids(upstream=True)
