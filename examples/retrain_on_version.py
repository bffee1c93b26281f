"""A DAG that runs whenever a dataset has a new version, and learns from the event which one."""

from datetime import UTC, datetime

from airflow.sdk import DAG, task

from ontap_mlops import assets
from ontap_mlops.operators.clones import OntapCloneCreateOperator, OntapCloneDeleteOperator
from ontap_mlops.operators.workload import WorkloadOperator

TEXTS = assets.dataset_asset("example_texts")
CLONE = "example_{{ dag_run.run_after | ts_nodash | lower }}"

with DAG("example_retrain_on_version", schedule=[TEXTS], start_date=datetime(2026, 1, 1, tzinfo=UTC), tags=["example"]):

    @task(inlets=[TEXTS])
    def version(*, inlet_events) -> dict:
        """The newest version, as a record with everything a later step needs."""
        return inlet_events[TEXTS][-1].extra["dataset_version"]

    data = version()
    clone = OntapCloneCreateOperator(
        task_id="clone", clone=CLONE, parent_volume=data["volume"], parent_snapshot=data["snapshot"]
    )
    train = WorkloadOperator(
        task_id="train", program="programs.count", arguments=["{data}/data"], mounts={"data": clone.output}
    )
    remove = OntapCloneDeleteOperator(task_id="remove", clone=CLONE, with_bucket=False)
    clone.as_setup() >> train >> remove.as_teardown(setups=clone)
