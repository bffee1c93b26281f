"""What a task knows about the DAG run it belongs to: its key, its record, and the results of fixed steps.

The steps that every pipeline has bear the same task ids everywhere, so an operator finds what it works on by them, and
a DAG file needs no template for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ontap_mlops import names, settings
from ontap_mlops.records import Claim, RunRecord, Workspace

if TYPE_CHECKING:
    from airflow.sdk import Context

CHOOSE, WORKSPACE, CLAIM, DECIDE = "choose", "create_workspace", "claim", "decide"
RECORD, PUBLISH, REGISTER, PLACE, LOAD = "record", "promote.publish", "promote.register", "deploy.place", "deploy.load"


def run_key(context: Context) -> str:
    """Id of this DAG run, the same for all its tasks and their tries (see ``names.run_key``)."""
    run = context["dag_run"]
    return names.run_key(run.dag_id, run.run_id, run.run_after)


def code_commit(context: Context) -> str:
    """Version of the DAG bundle this run started on (a commit, for a Git bundle), else the one settings give."""
    bundle = getattr(context["ti"], "bundle_instance", None)
    return getattr(bundle, "version", None) or settings.code_commit()


def run_record(context: Context) -> RunRecord:
    """What ``choose`` settled for this run. Raises ValueError when the run has no such task or it has not ended."""
    return RunRecord.from_json(needed(context, CHOOSE))


def workspace(context: Context) -> Workspace:
    return Workspace.from_json(needed(context, WORKSPACE))


def claim_of(context: Context) -> Claim:
    """The champion this run is judged against, and whether it may replace it."""
    return Claim.from_json(needed(context, CLAIM))


def result_of(context: Context, task_id: str, key: str = "return_value") -> Any:
    """What the task of this run returned; None when it was skipped."""
    return context["ti"].xcom_pull(task_ids=task_id, key=key)


def needed(context: Context, task_id: str) -> dict[str, Any]:
    result = result_of(context, task_id)
    if not isinstance(result, dict):
        raise ValueError(
            f"Task {task_id} of this run returned {result!r}, and {context['ti'].task_id} works on its result: "
            f"let it run first, or clear it."
        )
    return dict(result)
