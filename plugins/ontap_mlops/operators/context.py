"""What a task knows about the DAG run it belongs to, in this project's terms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ontap_mlops import names, settings

if TYPE_CHECKING:
    from airflow.sdk import Context


def run_key(context: Context) -> str:
    """Id of this DAG run, the same for all its tasks and their tries (see ``names.run_key``)."""
    run = context["dag_run"]
    return names.run_key(run.dag_id, run.run_id, run.run_after)


def code_commit(context: Context) -> str:
    """Version of the DAG bundle this run started on (a commit, for a Git bundle), else the one settings give."""
    bundle = getattr(context["ti"], "bundle_instance", None)
    return getattr(bundle, "version", None) or settings.code_commit()
