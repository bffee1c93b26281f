"""What decides whether a run counts as a success, by Airflow's own rule."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.dags.inventory import TRAINING

READS_WORKSPACE = {"train", "evaluate", "promote.publish"}


@dataclass(frozen=True)
class Instance:
    task_id: str
    state: str | None = None


def test_these_are_all_dags_that_undo_something(dags):
    undoing = {name for name, dag in dags.items() if any(task.is_teardown for task in dag.tasks)}
    others = {"documents_comparison", "gpu_projects", "restore_experiment", "roll_back", "storage_service_level"}
    assert undoing - others == TRAINING


@pytest.mark.parametrize("dag_id", sorted(TRAINING))
def test_a_run_fails_when_its_work_fails_though_what_was_made_for_it_is_cleaned_up(dags, dag_id):
    from airflow.models.dagrun import DagRun

    dag = dags[dag_id]
    instances = [Instance(name) for name in dag.task_ids]
    names = {instance.task_id for instance in DagRun._tis_for_dagrun_state(None, dag=dag, tis=instances)}
    teardowns = {task.task_id for task in dag.tasks if task.is_teardown}
    assert "summary" in names, "it is upstream_failed when anything before it fails"
    assert teardowns <= names, "a workspace that could not be removed is no success either"


@pytest.mark.parametrize("dag_id", sorted(TRAINING))
def test_no_decision_can_skip_the_cleaning_up(dags, dag_id):
    dag = dags[dag_id]
    teardowns = [task for task in dag.tasks if task.is_teardown]
    branching = {task.task_id for task in dag.tasks if task.inherits_from_skipmixin}
    assert teardowns and branching == {"decide"}
    assert [task.task_id for task in teardowns if task.upstream_task_ids & branching] == []


@pytest.mark.parametrize("dag_id", sorted(TRAINING))
def test_the_workspace_stays_until_the_last_task_that_reads_it(dags, dag_id):
    dag = dags[dag_id]
    before = dag.get_task("delete_workspace").get_flat_relative_ids(upstream=True)
    reading = {
        task.task_id
        for task in dag.tasks
        if "workspace" in (getattr(task, "volumes", None) or getattr(task, "partial_kwargs", {}).get("volumes") or {})
    }
    assert READS_WORKSPACE <= reading <= before
