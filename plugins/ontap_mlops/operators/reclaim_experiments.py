"""Experiments that runs have frozen: which may go, and why the others stay. Judged for ``reclaim_clones``."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ontap_mlops.operators.reclaim_items import Rules, unanswered

if TYPE_CHECKING:
    from ontap_mlops.ontap.reclaim import Contents
    from ontap_mlops.ontap.volumes import Volume


def reason(rules: Rules, contents: Contents, volume: Volume, run_key: str, now: datetime) -> str | None:
    """Why the experiment of a run stays; None where it is old by the rule, and nothing refers to it for certain."""
    from ontap_mlops.ontap import reclaim

    days = rules.experiment_days
    if days is None:
        return f"it is the experiment of run {run_key}, and no number of days says when experiments are old"
    if not volume.created_at:
        return "ONTAP does not tell how old it is"
    until = datetime.fromisoformat(volume.created_at) + timedelta(days=days)
    if until > now:
        return f"it is the experiment of run {run_key}, and stays for {days:g} days, until {until:%Y-%m-%d %H:%M}"
    held = (reclaim.held(contents, snapshot, now) for snapshot in contents.snapshots.get(volume.uuid, ()))
    if (why := next(filter(None, held), None)) is not None:
        return why
    try:
        return _referred_to(rules, run_key)
    except unanswered() as error:
        return f"it cannot be asked who needs it: {error}"


def _referred_to(rules: Rules, run_key: str) -> str | None:
    from ontap_mlops.hooks.mlflow import RETIRED_TAG, MlflowHook
    from ontap_mlops.hooks.mlflow_service import tags

    mlflow = MlflowHook(rules.mlflow_conn_id)
    run = mlflow.find_run(run_key)
    if run is None:
        return f"MLflow knows no run {run_key} here, so nobody can say who needs it"
    dag_id, _, run_id = tags(run["data"]).get("airflow_run", "").partition("/")
    over = rules.runs(dag_id, run_id) if dag_id and run_id else None
    if over is None:
        return f"Airflow knows no run {run_key}, so nobody can say whether it goes on; remove the volume by hand"
    if not over:
        return f"run {run_id} of {dag_id}, which froze it, goes on"
    for version, said in mlflow.versions_of_all():
        if version.run_key == run_key and RETIRED_TAG not in said:
            return f"version {version.version} of model {version.model} was registered from it"
    return None
