"""
# Reclaim space

**What.** Lists every snapshot, clone and cache that this project made on an SVM: how much removing it frees, or in
plain words why it stays (a clone is based on it, by name; SnapMirror owns it; it is locked; a registered model was
trained on it; a run or a lease uses it). Then it removes what may go, unless it is a dry run, which is the default.

**When it runs.** When triggered. Read the log of `plan` first, then trigger it again without *Dry run*.

**What it needs.** The connection to ONTAP, and `mlflow_default`: while MLflow does not answer, all that may be needed
stays.

**What it leaves behind.** What somebody may need, and all that has not our mark. The folder of a removed model
version goes with the next `retention` of its training DAG. A volume with 900 snapshots or more is named in the log
and in the note of the run, since ONTAP keeps no more than 1,023 (option `snapshot_warning`).

**If it fails.** Nothing is half removed: clear the task, and it removes what is left.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG, Param

from ontap_mlops.operators.reclaim import PLAN, ReclaimOperator, ReclaimPlanOperator

RULES = {
    "ontap_conn_id": "{{ params.ontap_conn_id }}",
    "svm": "{{ params.svm or '' }}",
    "keep_newest_models": "{{ params.keep_newest_models }}",
    "workspace_days": "{{ params.workspace_days if params.workspace_days is not none else '' }}",
    "safety_days": "{{ params.safety_days if params.safety_days is not none else '' }}",
    "experiment_days": "{{ params.experiment_days if params.experiment_days is not none else '' }}",
}

with DAG(
    dag_id="reclaim_space",
    description="List what could be removed on ONTAP and why the rest stays; remove it where asked to",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    max_active_runs=1,
    tags=["storage"],
    params={
        "dry_run": Param(True, type="boolean", title="Dry run", description="List only, and remove nothing."),
        "ontap_conn_id": Param("ontap_default", type="string", minLength=1, title="Connection to ONTAP"),
        "svm": Param(None, type=["null", "string"], title="SVM", description="Empty: that of the connection."),
        "keep_newest_models": Param(
            10,
            type="integer",
            minimum=1,
            title="Model versions to keep",
            description="Of each model, the newest; the champion and what it replaced stay anyway.",
        ),
        "workspace_days": Param(
            None,
            type=["null", "number"],
            minimum=0,
            title="Days for failed runs' workspaces",
            description="Empty: as the option keep_failed_workspaces_days says.",
        ),
        "safety_days": Param(
            None,
            type=["null", "number"],
            minimum=0,
            title="Days for what restores leave",
            description="Snapshots mlops_before_... of how a volume was. Empty: as keep_safety_snapshots_days says.",
        ),
        "experiment_days": Param(
            None,
            type=["null", "number"],
            minimum=0,
            title="Days for experiments",
            description=(
                "Frozen experiments that are older go, unless a clone, a lock, a model version or a run that goes on "
                "refers to them. Empty: all stay."
            ),
        ),
    },
):
    plan = ReclaimPlanOperator(task_id=PLAN, **RULES)
    plan >> ReclaimOperator(task_id="reclaim", plan=PLAN, remove="{{ not params.dry_run }}", **RULES)
