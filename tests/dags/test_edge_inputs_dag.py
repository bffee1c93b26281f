"""The shape of the DAG `edge_inputs`: nothing goes at a site before a version has it; a failed run is red."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.sdk.exceptions import ParamValidationError

from tests.dags.test_run_state import Instance

DAGS = Path(__file__).parents[2] / "dags"


@pytest.fixture(scope="module")
def dag():
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(str(DAGS / "edge_inputs.py"))
    assert bag.import_errors == {}
    return bag.dags["edge_inputs"]


def test_a_model_must_be_named_and_nothing_else(dag):
    with pytest.raises(ParamValidationError):
        dag.params.validate()
    dag.params["model"] = "tyre"
    dag.params.validate()


def test_nothing_is_removed_before_the_ingest_has_ended_and_the_version_was_asked(dag):
    before = dag.get_task("clearing.clear").get_flat_relative_ids(upstream=True)
    assert {"gathering.gather", "ingest", "version", "clearing.held"} <= before
    assert dag.get_task("ingest").wait_for_completion and dag.get_task("ingest").fail_when_dag_is_paused
    assert {dag.get_task(name).trigger_rule.value for name in ("ingest", "version", "clearing.held")} == {"all_success"}


def test_a_site_that_is_down_does_not_keep_the_others_back_and_the_end_judges_the_run(dag):
    from airflow.models.dagrun import DagRun

    assert dag.get_task("gathered").trigger_rule.value == "all_done"
    assert dag.get_task("end").trigger_rule.value == "all_done"
    instances = [Instance(name) for name in dag.task_ids]
    counted = {instance.task_id for instance in DagRun._tis_for_dagrun_state(None, dag=dag, tis=instances)}
    assert counted == {"end"}
