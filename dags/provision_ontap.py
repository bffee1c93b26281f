"""
# Provision ONTAP

**What.** Makes what every other DAG stands on, and changes nothing that is already right: a volume for each dataset of
`config/datasets.yaml` on the dataset's own connection and SVM, a volume for models, and on each of these SVMs an S3
server (HTTP), a user, a group with a full-access policy, and a bucket over each of its datasets' volumes, so that the
same files are seen as a mounted folder and as objects.

**When it runs.** When triggered, and again after `datasets.yaml` has a new entry.

**What it needs.** The ONTAP connections of the datasets (`ontap_default` where none is named) with rights to create
volumes and S3 objects, and a place for the S3 keys: the one that the option `secret_store` of `[ontap_mlops]` names,
by default the Airflow connection `ontap_s3`, written through Airflow's REST API with the login of `airflow_api`. Keys
of an SVM that is not the one of the form go to a place of their own, such as `ontap_s3_svm2`. ONTAP shows a secret
key once only; when the place has lost it, new keys are made.

**What it leaves behind.** The volumes, the S3 servers and the connections. Keys appear in no log.

**If it fails.** The sentence names the object and what to do. A volume of the same name that this project did not
make is never touched: rename it, or choose another name in `datasets.yaml`.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG, Param

from ontap_mlops import names, registry
from ontap_mlops.operators.base import RETRIES
from ontap_mlops.operators.s3 import OntapS3ProvisionOperator
from ontap_mlops.operators.volumes import OntapVolumeEnsureOperator

DATASETS = list(registry.usable().values())
HOMES = registry.homes()


with DAG(
    dag_id="provision_ontap",
    description="Volumes, S3 servers, keys and buckets: everything the other DAGs stand on",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    max_active_runs=1,
    default_args={"retries": RETRIES},
    tags=["provision"],
    params={
        "svm": Param(
            next((svm for conn_id, svm in HOMES if conn_id == registry.DEFAULT_CONN_ID), "") or None,
            type=["null", "string"],  # with null, the form takes an empty field
            title="SVM",
            description="Storage VM of the inference server's repository; empty for that of the connection.",
        ),
        "model_volume": Param("models", type="string", title="Model volume"),
        "model_volume_gib": Param(10, type="integer", minimum=1, title="Size of the model volume, GiB"),
        "s3_user": Param("mlops", type="string", title="S3 user"),
    },
):
    volumes = OntapVolumeEnsureOperator.partial(
        task_id="volumes", map_index_template="{{ task.volume }}"
    ).expand_kwargs(
        [
            {
                "ontap_conn_id": dataset.ontap_conn_id,
                "svm": dataset.svm,
                "volume": dataset.volume,
                "size_bytes": dataset.size_bytes,
                "junction_path": names.junction_path(dataset.volume),
                "comment": f"ontap-mlops dataset {dataset.name}",
            }
            for dataset in DATASETS
        ]
    )
    model_volume = OntapVolumeEnsureOperator(
        task_id="model_volume",
        ontap_conn_id=registry.DEFAULT_CONN_ID,
        svm="{{ params.svm or '' }}",
        volume="{{ params.model_volume }}",
        size_bytes="{{ params.model_volume_gib * 1073741824 }}",
        junction_path="/{{ params.model_volume }}",
        comment="ontap-mlops models",
    )
    # One after the other: two places may turn out to be the same SVM, and its keys are made once.
    s3 = OntapS3ProvisionOperator.partial(
        task_id="s3",
        map_index_template="{{ task.ontap_conn_id }} {{ task.svm }}",
        max_active_tis_per_dagrun=1,
        user="{{ params.s3_user }}",
        group="mlops",
        policy="mlops-full-access",
    ).expand_kwargs(
        [
            {
                "ontap_conn_id": conn_id,
                "svm": svm,
                "secret_suffix": registry.keys_suffix(conn_id, svm),
                "buckets": {
                    names.bucket(dataset.volume): names.junction_path(dataset.volume)
                    for dataset in DATASETS
                    if (dataset.ontap_conn_id, dataset.svm) == (conn_id, svm)
                },
            }
            for conn_id, svm in HOMES
        ]
    )
    [volumes, model_volume] >> s3
