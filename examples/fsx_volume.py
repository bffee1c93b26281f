"""A volume on Amazon FSx for ONTAP whose files are objects too, through an S3 access point, and a backup of it."""

from datetime import UTC, datetime

from airflow.sdk import DAG

from ontap_mlops.operators.fsx import (
    FsxBackupCreateOperator,
    FsxFileSystemEnsureOperator,
    FsxS3AccessPointEnsureOperator,
    FsxSvmEnsureOperator,
    FsxVolumeEnsureOperator,
)

ID = "{{{{ ti.xcom_pull('{}')['id'] }}}}".format

with DAG("example_fsx_volume", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), tags=["example"]):
    file_system = FsxFileSystemEnsureOperator(
        task_id="file_system", name="example", subnet_ids=["subnet-0123456789abcdef0"]
    )
    svm = FsxSvmEnsureOperator(task_id="svm", name="example", file_system_id=ID("file_system"))
    volume = FsxVolumeEnsureOperator(
        task_id="volume", name="example", svm_id=ID("svm"), size_bytes=100 * 1024**3, junction_path="/example"
    )
    objects = FsxS3AccessPointEnsureOperator(task_id="objects", name="example", volume_id=ID("volume"))
    backup = FsxBackupCreateOperator(task_id="backup", name="example-{{ ds }}", volume_id=ID("volume"))
    file_system >> svm >> volume >> [objects, backup]
