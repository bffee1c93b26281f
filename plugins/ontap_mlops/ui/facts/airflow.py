"""What Airflow tells: runs with what they work on, the events of datasets, which DAGs there are.

The only place of the hub that reads Airflow's database; it runs in the API server, where that is allowed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from ontap_mlops.ui.facts.shapes import Run

CHOOSE, FREEZE = "choose", "experiment.freeze"
RESTORE = "restore_experiment"
SHOWN = 60


def newest_versions(datasets: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The version that the newest event of each dataset's asset carries, as JSON."""
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import func, select

    uris = {f"ontap://dataset/{name}": name for name in datasets}
    newest = (
        select(func.max(AssetEvent.id))
        .join(AssetModel, AssetModel.id == AssetEvent.asset_id)
        .where(AssetModel.uri.in_(uris))
        .group_by(AssetModel.uri)
    )
    asked = (
        select(AssetModel.uri, AssetEvent.extra)
        .join(AssetModel, AssetModel.id == AssetEvent.asset_id)
        .where(AssetEvent.id.in_(newest))
    )
    with create_session() as session:
        rows = session.execute(asked).all()
    found = {}
    for uri, extra in rows:
        version = _told(extra).get("dataset_version")
        if isinstance(version, dict):
            found[uris[uri]] = version
    return found


def dags(dag_ids: Iterable[str]) -> dict[str, bool]:
    """Those of these DAGs that there are, and whether each is paused."""
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    asked = select(DagModel.dag_id, DagModel.is_paused)
    asked = asked.where(DagModel.dag_id.in_(list(dag_ids)), DagModel.is_stale.is_(False))
    with create_session() as session:
        return {dag_id: bool(paused) for dag_id, paused in session.execute(asked)}


def consumers(dataset: str) -> list[str]:
    """DAGs that a new version of the dataset starts, sorted."""
    from airflow.models.asset import AssetModel, DagScheduleAssetReference
    from airflow.utils.session import create_session
    from sqlalchemy import select

    asked = (
        select(DagScheduleAssetReference.dag_id)
        .join(AssetModel, AssetModel.id == DagScheduleAssetReference.asset_id)
        .where(AssetModel.uri == f"ontap://dataset/{dataset}")
    )
    with create_session() as session:
        return sorted(session.scalars(asked))


def last_results(dag_id: str, task_ids: Collection[str], runs: int = 1) -> list[tuple[str, Any, datetime]]:
    """What these tasks returned in their last so many runs, the latest first: task id, value, when."""
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import func, select

    ours = (
        XComModel.dag_id == dag_id,
        XComModel.task_id.in_(list(task_ids)),
        XComModel.key == "return_value",
    )
    turn = func.row_number().over(partition_by=XComModel.task_id, order_by=XComModel.dag_run_id.desc())
    turns = select(XComModel.task_id, XComModel.dag_run_id, turn.label("turn")).where(*ours).subquery()
    asked = (
        select(XComModel)
        .join(turns, (turns.c.task_id == XComModel.task_id) & (turns.c.dag_run_id == XComModel.dag_run_id))
        .where(*ours, turns.c.turn <= runs)
        .order_by(XComModel.dag_run_id.desc(), XComModel.task_id)
    )
    with create_session() as session:
        rows = session.scalars(asked).all()
        return [(row.task_id, XComModel.deserialize_value(row), row.timestamp) for row in rows]


def runs(limit: int = SHOWN) -> list[Run]:
    """The newest runs of pipelines, of any DAG whose runs choose a dataset version or a repeat of one."""
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import func, select

    pipelines = select(TaskInstance.run_id).where(
        TaskInstance.task_id == CHOOSE, TaskInstance.dag_id == DagRun.dag_id, TaskInstance.run_id == DagRun.run_id
    )
    with create_session() as session:
        found = session.scalars(select(DagRun).where(pipelines.exists()).order_by(DagRun.id.desc()).limit(limit)).all()
        ids = [run.id for run in found]
        told = {
            (row.dag_run_id, row.task_id): XComModel.deserialize_value(row)
            for row in session.scalars(
                select(XComModel).where(
                    XComModel.dag_run_id.in_(ids),
                    XComModel.task_id.in_((CHOOSE, FREEZE)),
                    XComModel.key == "return_value",
                )
            )
        }
        counted: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
        for dag_id, run_id, state, number in session.execute(
            select(TaskInstance.dag_id, TaskInstance.run_id, TaskInstance.state, func.count())
            .join(DagRun, (DagRun.dag_id == TaskInstance.dag_id) & (DagRun.run_id == TaskInstance.run_id))
            .where(DagRun.id.in_(ids))
            .group_by(TaskInstance.dag_id, TaskInstance.run_id, TaskInstance.state)
        ):
            counted[dag_id, run_id][str(state or "none")] = number
        return [
            _run(run, told.get((run.id, CHOOSE)), told.get((run.id, FREEZE)), counted[run.dag_id, run.run_id])
            for run in found
        ]


def _run(run: Any, record: Any, frozen: Any, tasks: dict[str, int]) -> Run:
    """A run before its ``choose`` has ended says only what Airflow knows."""
    facts = _object(record)
    version, again = _object(facts.get("dataset_version")), _object(facts.get("repeat_of"))
    return Run(
        dag_id=run.dag_id,
        run_id=run.run_id,
        state=str(run.state),
        started_at=run.start_date,
        ended_at=run.end_date,
        run_key=str(facts.get("run_key", "")),
        dataset=str(version.get("dataset", "")),
        version=str(version.get("id", "")),
        model=str(facts.get("model", "")),
        site=str(facts.get("site", "")),
        user=run.triggering_user_name or "",
        tasks=tasks,
        parameters=_object(facts.get("parameters")),
        repeat_of=str(again.get("run_key", "")),
        experiment=str(again.get("run_key", "") if run.dag_id == RESTORE else _object(frozen).get("run_key", "")),
    )


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _told(extra: Any) -> dict[str, Any]:
    """What an event carries, whether a task or a watcher told it."""
    facts = _object(extra)
    return _object(facts.get("payload")) if facts.get("from_trigger") else facts
