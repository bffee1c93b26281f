"""A program of your own on a place of compute.yaml: it outlives its worker, and its result is the task's."""

from datetime import UTC, datetime

from airflow.sdk import DAG, Param, task

from ontap_mlops.operators.volumes import OntapVolumeEnsureOperator
from ontap_mlops.operators.workload import WorkloadOperator

with DAG(
    "example_run_program",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    tags=["example"],
    params={"compute": Param("local", title="Place of compute.yaml, or several joined by commas")},
):
    volume = OntapVolumeEnsureOperator(
        task_id="volume", volume="example", size_bytes=1024**3, junction_path="/example", comment="ontap-mlops example"
    )
    count = WorkloadOperator(
        task_id="count",
        program="programs.count",
        arguments=["{volume}"],
        mounts={"volume": volume.output},
        compute="{{ params.compute }}",
        time_limit=600,
    )

    @task
    def report(result: dict) -> str:
        return f"{result['files']} files, {result['bytes']} bytes"

    report(count.output)
