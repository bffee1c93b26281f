"""The files of a volume as objects: an S3 server on the SVM, a user with keys, and a bucket over the volume."""

from datetime import UTC, datetime

from airflow.sdk import DAG

from ontap_mlops.operators.s3 import OntapS3ProvisionOperator
from ontap_mlops.operators.volumes import OntapVolumeEnsureOperator

with DAG(
    "example_s3_bucket",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    tags=["example"],
):
    volume = OntapVolumeEnsureOperator(
        task_id="volume",
        volume="example_objects",
        size_bytes=1024**3,
        junction_path="/example_objects",
        comment="ontap-mlops example",
    )
    bucket = OntapS3ProvisionOperator(
        task_id="bucket",
        user="example",
        group="example",
        policy="example-full-access",
        buckets={"example-objects": "/example_objects"},
        # The keys go where [ontap_mlops] secret_store says: by default, the Airflow connection ontap_s3.
    )
    volume >> bucket
