"""A dataset version, made of what a volume holds. The dataset is given by value: no datasets.yaml is needed."""

from datetime import UTC, datetime

from airflow.sdk import DAG

from ontap_mlops import assets
from ontap_mlops.operators.versions import DatasetVersionCreateOperator
from ontap_mlops.operators.volumes import OntapVolumeEnsureOperator
from ontap_mlops.operators.workload import WorkloadOperator

DATASET = {"name": "example_texts", "source": "s3://lake/texts/", "volume": "example_texts"}

with DAG("example_dataset_version", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), tags=["example"]):
    volume = OntapVolumeEnsureOperator(
        task_id="volume",
        volume=DATASET["volume"],
        size_bytes=1024**3,
        junction_path="/example_texts",
        comment="ontap-mlops dataset example_texts",
    )
    fill = WorkloadOperator(
        task_id="fill", program="programs.write", arguments=["{volume}/data"], mounts={"volume": volume.output}
    )
    check = WorkloadOperator(
        task_id="check",
        program="tasks.data.check",
        arguments={"volume": "{volume}", "minimum-files": 1},
        mounts={"volume": volume.output},
    )
    version = DatasetVersionCreateOperator(
        task_id="version",
        dataset=DATASET,
        checked=check.output,
        outlets=[assets.dataset_asset(DATASET["name"])],
    )
    fill >> check
