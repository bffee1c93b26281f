"""What a task knows about the DAG run it belongs to: its key, its record, and the results of fixed steps.

The steps that every pipeline has bear the same task ids everywhere, so an operator finds what it works on by them, and
a DAG file needs no template for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ontap_mlops import names, settings
from ontap_mlops.operators import log_context
from ontap_mlops.records import Claim, RunRecord, Workspace

if TYPE_CHECKING:
    from airflow.sdk import Context

CHOOSE, WORKSPACE, CLAIM, DECIDE = "choose", "create_workspace", "claim", "decide"
RECORD, PUBLISH, REGISTER, PLACE, LOAD = "record", "promote.publish", "promote.register", "deploy.place", "deploy.load"
EVIDENCE = "promote.lock_evidence"


def run_key(context: Context) -> str:
    """Id of this DAG run, the same for all its tasks and their tries (see ``names.run_key``)."""
    run = context["dag_run"]
    return names.run_key(run.dag_id, run.run_id, run.run_after)


def owner_of(context: Context) -> str:
    """This run as the owner of a lease, so that another run can find out whether it is over."""
    from ontap_mlops.ontap import cache_uses

    run = context["dag_run"]
    return cache_uses.owner(run_key(context), run.dag_id, run.run_id)


def is_over(context: Context) -> Callable[[str], bool]:
    """Whether the run of such an owner is over, as a function; False for this run, and for one unknown to Airflow."""
    from ontap_mlops.ontap import cache_uses

    ti: Any = context["ti"]
    own = owner_of(context)

    def over(owner: str) -> bool:
        run = cache_uses.run_of(owner)
        if owner == own or run is None:
            return False
        return bool(ti.get_dr_count(dag_id=run[0], run_ids=[run[1]], states=["success", "failed"]))

    return over


def is_last_try(context: Context) -> bool:
    """Whether Airflow tries this task no more when this try fails, unless somebody clears it."""
    ti: Any = context["ti"]
    return ti.try_number > ti.max_tries


def code_commit(context: Context) -> str:
    """Version of the DAG bundle this run started on (a commit, for a Git bundle), else the one settings give."""
    bundle = getattr(context["ti"], "bundle_instance", None)
    return getattr(bundle, "version", None) or settings.code_commit()


def run_record(context: Context) -> RunRecord:
    """What ``choose`` settled for this run. Raises ValueError when the run has no such task or it has not ended."""
    record = RunRecord.from_json(needed(context, CHOOSE))
    log_context.tell_version(record.dataset_version.id)
    return record


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
