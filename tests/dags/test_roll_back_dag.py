"""The shape of the DAG `roll_back`: under the claim, put back when it fails, and red then."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.sdk.exceptions import ParamValidationError

from tests.dags.test_run_state import Instance

DAGS = Path(__file__).parents[2] / "dags"


@pytest.fixture(scope="module")
def dag():
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(str(DAGS / "roll_back.py"))
    assert bag.import_errors == {}
    return bag.dags["roll_back"]


def test_a_model_must_be_named_and_nothing_else(dag):
    with pytest.raises(ParamValidationError):
        dag.params.validate()
    dag.params["model"] = "tyre"
    dag.params.validate()


def test_everything_that_changes_what_serves_happens_between_claim_and_release(dag):
    claim, release = dag.get_task("claim"), dag.get_task("release")
    assert claim.is_setup
    assert release.is_teardown
    inside = {task.task_id for task in dag.tasks if task.task_id.startswith("deploy.")}
    assert inside == {"deploy.place", "deploy.load", "deploy.activate", "deploy.confirm"}
    assert inside <= claim.get_flat_relative_ids(upstream=False)
    assert inside <= release.get_flat_relative_ids(upstream=True)


def test_no_decision_can_skip_the_release_of_a_claim_that_was_taken(dag):
    branching = {task.task_id for task in dag.tasks if task.inherits_from_skipmixin}
    assert branching == {"inspect"}
    assert dag.get_task("inspect").downstream_task_ids == {"claim"}


def test_a_roll_back_that_fails_is_a_failed_run_though_what_served_is_put_back(dag):
    from airflow.models.dagrun import DagRun

    instances = [Instance(name) for name in dag.task_ids]
    counted = {instance.task_id for instance in DagRun._tis_for_dagrun_state(None, dag=dag, tis=instances)}
    assert counted == {"done", "release"}


def test_the_storage_is_the_connections_own(dag):
    assert {getattr(task, "svm", None) for task in dag.tasks} == {None}
    assert "svm1" not in (DAGS / "roll_back.py").read_text()
