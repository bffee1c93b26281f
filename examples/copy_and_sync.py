"""Files of an NFS export in a bucket of Amazon S3 by Copy and Sync: only what changed, without a worker slot."""

from datetime import UTC, datetime

from airflow.sdk import DAG

from ontap_mlops.operators.copy_sync import CopySyncEnsureOperator, CopySyncRunOperator

with DAG("example_copy_and_sync", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), tags=["example"]):
    relationship = CopySyncEnsureOperator(
        task_id="relationship",
        name="example",
        source={"kind": "nfs", "host": "10.0.0.5", "export": "/example"},
        target={"kind": "s3", "bucket": "example-lake", "region": "eu-west-1", "prefix": "example"},
        group_id="group-1",  # the group of data brokers, as NetApp's console shows it
    )
    CopySyncRunOperator(task_id="run", relationship_id="{{ ti.xcom_pull('relationship')['id'] }}") << relationship
