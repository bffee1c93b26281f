"""What the data hub reads of Airflow's own database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.database.test_on_this_database import stored

DAG_FILE = """
from airflow.sdk import DAG, TaskGroup, task

with DAG(dag_id="hub_facts", schedule=None):

    @task
    def choose(**context):
        repeated = {"run_key": "r0"} if context["logical_date"].day == 2 else None
        version = {"dataset": "tyre", "id": "v1"}
        return {"run_key": context["run_id"], "dataset_version": version, "repeat_of": repeated}

    @task
    def evict_at_remote(**context):
        return {"removed": {"tyre v1 at remote": context["run_id"]}}

    with TaskGroup("experiment"):

        @task
        def freeze(**context):
            return {"run_key": context["run_id"]}

        frozen = freeze()
    choose() >> evict_at_remote() >> frozen
"""


def test_the_last_results_come_latest_first_and_runs_name_their_experiment(session: Any, tmp_path: Path) -> None:
    from ontap_mlops.ui.facts import airflow

    (tmp_path / "hub_facts.py").write_text(DAG_FILE)
    dag, _ = stored(tmp_path, session)["hub_facts"]
    first = datetime(2026, 11, 1, tzinfo=UTC)
    ids = [dag.test(logical_date=first + timedelta(days=day)).run_id for day in range(3)]
    found = airflow.last_results("hub_facts", ["evict_at_remote"], 2)
    assert [said["removed"]["tyre v1 at remote"] for _, said, _ in found] == ids[:0:-1]
    (last,) = airflow.last_results("hub_facts", ["evict_at_remote", "never_ran"])
    assert last[1]["removed"]["tyre v1 at remote"] == ids[-1]
    runs = {run.run_id: run for run in airflow.runs() if run.dag_id == "hub_facts"}
    assert [(runs[id_].experiment, runs[id_].repeat_of) for id_ in ids] == [(ids[0], ""), (ids[1], "r0"), (ids[2], "")]
    assert [(runs[id_].dataset, runs[id_].tasks) for id_ in ids] == [("tyre", {"success": 3})] * 3
