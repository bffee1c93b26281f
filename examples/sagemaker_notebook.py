"""Train daily while a SageMaker notebook instance is up, and stop it afterwards, also when the training fails."""

from datetime import UTC, datetime

from airflow.sdk import DAG

from ontap_mlops.operators.sagemaker import SageMakerNotebookStartOperator, SageMakerNotebookStopOperator
from ontap_mlops.operators.workload import WorkloadOperator

PLACE = {
    "kind": "sagemaker",
    "role_arn": "arn:aws:iam::123456789012:role/sagemaker",
    "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/ontap-mlops-tasks:1",
    "staging": "s3://example-ml/jobs",
}

with DAG(
    "example_sagemaker_notebook", schedule="@daily", start_date=datetime(2026, 1, 1, tzinfo=UTC), tags=["example"]
):
    start = SageMakerNotebookStartOperator(task_id="start", notebook="fsxn-ontap")
    train = WorkloadOperator(task_id="train", program="my_training", compute=PLACE, retries=0)
    stop = SageMakerNotebookStopOperator(task_id="stop", notebook="fsxn-ontap")
    start.as_setup() >> train >> stop.as_teardown(setups=start)
