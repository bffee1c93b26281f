"""The shape of the DAG `gpu_projects`: what was submitted always goes, and a failed scenario is a failed run."""

from __future__ import annotations

import itertools

import pytest

from tests.dags.test_run_state import Instance

SCENARIOS = ["scenario_4_8", "scenario_4_9", "scenario_4_10"]


@pytest.fixture
def dag(dags):
    return dags["gpu_projects"]


def test_the_scenarios_follow_each_other_between_the_check_and_the_removal(dag):
    chain = ["apply", "check", *SCENARIOS, "remove"]
    for before, after in itertools.pairwise(chain):
        assert after in dag.get_task(before).downstream_task_ids
    assert dag.get_task("check").is_setup and dag.get_task("remove").is_teardown
    assert [dag.get_task(name).section for name in SCENARIOS] == ["4.8", "4.9", "4.10"]


def test_the_report_is_written_whatever_happened_and_decides_the_run(dag):
    from airflow.models.dagrun import DagRun

    assert dag.get_task("report").trigger_rule.value == "all_done"
    instances = [Instance(name) for name in dag.task_ids]
    names = {instance.task_id for instance in DagRun._tis_for_dagrun_state(None, dag=dag, tis=instances)}
    assert "report" in names


def test_the_form_is_valid_as_it_opens_and_offers_the_published_scenarios(dag):
    dag.params.validate()
    assert dag.params.get_param("scenarios").schema["enum"] == ["none", "4.8", "4.9", "4.10"]
