"""One ingest DAG per dataset of `config/datasets.yaml`; each page is made from its entry by `_page`."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG

from ontap_mlops import assets, names, registry
from ontap_mlops.operators.base import RETRIES
from ontap_mlops.operators.sync import DataSyncOperator
from ontap_mlops.operators.versions import DatasetVersionCreateOperator, DatasetVersionExpireOperator
from ontap_mlops.operators.volumes import OntapVolumeEnsureOperator
from ontap_mlops.operators.workload import WorkloadOperator
from ontap_mlops.operators.workspaces import WorkspaceCollectOperator


def _page(dataset: registry.Dataset) -> str:
    return f"""
    # Ingest `{dataset.name}`

    {dataset.description}

    **What.** Brings what changed in `{dataset.source}` to the ONTAP volume `{_volume(dataset)}`,
    checks it, and freezes it as a dataset version: one snapshot that never changes. When nothing changed, no version
    is made.

    **When it runs.** `{dataset.schedule or "only when triggered"}`, one run at a time. A new version is an event on
    the asset `dataset/{dataset.name}`, which starts the DAGs that train on it.

    **What it needs.** Connections `{dataset.source_conn_id}` (the source) and `{dataset.ontap_conn_id}` (ONTAP); the
    SVM's namespace mounted where the compute profile `local` says.

    **What it leaves behind.** The volume, with the files in `data/` and a manifest of every file and its digest in
    `.mlops/manifest.json`; the snapshot `mlops_<version id>`; the event that carries the version's record. Versions
    beyond the newest {dataset.keep.versions} and older than {dataset.keep.days} days are removed, unless a registered
    model, a training of these days or a run that goes on stands on them. Workspaces that failed runs have kept for
    longer than `[ontap_mlops] keep_failed_workspaces_days` are removed too. Only when a version is old, the connection
    `mlflow_default` is needed.

    **If it fails.** Clear the failed task: each goes on from what it finds. `sync` says which object or which space
    was the trouble; `check` exits at once, without a retry, when the data itself is wrong, and no version is made.
    """


def _volume(dataset: registry.Dataset) -> str:
    return f"{dataset.svm}:{dataset.volume}" if dataset.svm else dataset.volume


def ingest_dag(dataset: registry.Dataset) -> DAG:
    mounts = {"volume": {"svm": dataset.svm, "junction_path": names.junction_path(dataset.volume)}}
    folders = ",".join(dataset.check.folders)
    with DAG(
        dag_id=f"ingest_{dataset.name}",
        description=f"New data of {dataset.name} becomes a dataset version",
        doc_md=_page(dataset),
        schedule=dataset.schedule,
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        catchup=False,
        max_active_runs=1,
        default_args={"retries": RETRIES, "ontap_conn_id": dataset.ontap_conn_id},
        tags=["ingest", dataset.name],
    ) as dag:
        ensure_volume = OntapVolumeEnsureOperator(
            task_id="ensure_volume",
            svm=dataset.svm,
            volume=dataset.volume,
            size_bytes=dataset.size_bytes,
            junction_path=names.junction_path(dataset.volume),
            comment=f"ontap-mlops dataset {dataset.name}",
        )
        sync = DataSyncOperator(
            task_id="sync",
            source=dataset.source,
            destination="{volume}/data",
            source_conn_id=dataset.source_conn_id,
            mounts=mounts,
            delete=True,
            size_bytes=dataset.size_bytes,
            when_full=f"raise size of {dataset.name} in datasets.yaml, which is {dataset.size}, and clear this task",
        )
        check = WorkloadOperator(
            task_id="check",
            program="tasks.data.check",
            arguments=[
                "--volume={volume}",
                f"--source={dataset.source}",
                f"--folders={folders}" if folders else "",
                f"--minimum-files={dataset.check.minimum_files}",
                f"--corrupt-share={dataset.check.broken_share}",
                "--allow-personal-data" if dataset.check.allow_personal_data else "",
            ],
            mounts=mounts,
        )
        freeze = DatasetVersionCreateOperator(
            task_id="freeze", dataset=dataset.name, checked=check.output, outlets=[assets.dataset_asset(dataset)]
        )
        retention = DatasetVersionExpireOperator(task_id="retention", dataset=dataset.name)
        collect = WorkspaceCollectOperator(task_id="collect_workspaces", svm=dataset.svm)
        ensure_volume >> sync >> check >> freeze >> retention >> collect
    return dag


for _dataset in registry.usable().values():
    globals()[f"ingest_{_dataset.name}"] = ingest_dag(_dataset)
