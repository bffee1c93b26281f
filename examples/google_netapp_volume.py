"""A volume of Google Cloud NetApp Volumes, frozen in a snapshot and mirrored into another region."""

from datetime import UTC, datetime

from airflow.sdk import DAG

from ontap_mlops.operators.google_netapp import (
    GoogleNetAppPoolEnsureOperator,
    GoogleNetAppReplicationEnsureOperator,
    GoogleNetAppSnapshotCreateOperator,
    GoogleNetAppVolumeEnsureOperator,
)

with DAG("example_google_netapp_volume", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), tags=["example"]):
    pool = GoogleNetAppPoolEnsureOperator(task_id="pool", storage_pool="example", capacity_gib=2048)
    volume = GoogleNetAppVolumeEnsureOperator(
        task_id="volume", volume="example", storage_pool="example", capacity_gib=100
    )
    snapshot = GoogleNetAppSnapshotCreateOperator(task_id="snapshot", volume="example", snapshot="day-{{ ds }}")
    mirror = GoogleNetAppReplicationEnsureOperator(
        task_id="mirror",
        volume="example",
        replication="example-mirror",
        to_location="europe-west3",  # a pool that is there already; of another region, unless you only try it out
        to_pool="example",
        to_volume="example-mirror",
    )
    pool >> volume >> snapshot >> mirror
