"""
# Restore a dataset

**What.** Puts the live files of a dataset back to one of its versions, or to the one that was current at a date. `plan`
says which files come, change and go, and what would be lost; `restore` does it. Runs work on clones of versions and see
nothing of it; the next ingest goes on from there.

**When it runs.** When triggered. The form begins with a dry run, which only plans.

**What it needs.** The dataset's ONTAP connection with rights on snapshots and files, and `mlflow_default` where
versions could be lost.

**What it leaves behind.** With *Safety snapshot*, which is the default, nothing is lost: how the data was is a snapshot
`mlops_before_...`, named in the log and in the result of `restore`, and every version stays. To go back, restore that
snapshot (`OntapSnapshotRestoreOperator`). Without it ONTAP restores the volume in one step, however large it is, and
every newer snapshot is lost, which is refused where a model was trained on one of them. The asset of the dataset has an
event with the version that is live again.

**If it fails.** The sentence says why. Clear the failed task: it goes on where it stopped. While it runs, nobody else
can restore the same volume; a run that will never go on leaves the snapshot `mlops_restoring`, which is how the data
was before: restore or remove it.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG, AssetAlias, Param

from ontap_mlops import registry
from ontap_mlops.operators.base import RETRIES
from ontap_mlops.operators.dataset_restore import RESTORED, DatasetRestoreOperator, DatasetRestorePlanOperator

with DAG(
    dag_id="restore_dataset",
    description="Put the live files of a dataset back to one of its versions, losing nothing unless told so",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    max_active_runs=1,
    default_args={"retries": RETRIES},
    tags=["protect"],
    params={
        "dataset": Param(type="string", enum=sorted(registry.usable()) or [""], title="Dataset"),
        "version": Param(
            None, type=["null", "string"], title="Version", description="Its id, v...; empty where a date is given."
        ),
        "as_of": Param(
            None,
            type=["null", "string"],
            format="date-time",
            title="As of",
            description="The version that was current then; empty where a version is given.",
        ),
        "safety": Param(
            True,
            type="boolean",
            title="Safety snapshot",
            description="Keep how the data is now, and every snapshot. Without it, newer versions are lost.",
        ),
        "dry_run": Param(True, type="boolean", title="Dry run", description="Only say what it would do."),
    },
):
    plan = DatasetRestorePlanOperator(
        task_id="plan",
        dataset="{{ params.dataset }}",
        version="{{ params.version or '' }}",
        as_of="{{ params.as_of or '' }}",
        safety="{{ params.safety }}",
        plan_only="{{ params.dry_run }}",
    )
    DatasetRestoreOperator(task_id="restore", plan=plan.output, outlets=[AssetAlias(RESTORED)])
