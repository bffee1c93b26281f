"""A run that makes a dataset version, one that fails, and one that waits: what a watched Airflow has."""

from __future__ import annotations

from airflow.sdk import DAG, task
from airflow.sdk.exceptions import AirflowFailException

from ontap_mlops import assets
from ontap_mlops.operators.versions import DatasetVersionCreateOperator

with DAG("watched_ingest", schedule=None):
    DatasetVersionCreateOperator(
        task_id="freeze",
        dataset="tyres",
        checked={"digest": "sha256:" + "0123abcd" * 8, "files": 3, "bytes": 70_000},
        outlets=[assets.dataset_asset("tyres")],
    )

with DAG("watched_failure", schedule=None):

    @task
    def fail() -> None:
        raise AirflowFailException("It was to fail.")

    fail()
