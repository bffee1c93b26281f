"""The decorator that makes a training DAG of a page, a system and a function that puts its programs in order."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import DAG, AssetOrTimeSchedule, CronTriggerTimetable, Param

from ontap_mlops import assets, drift_watches, locations, registry
from ontap_mlops.operators.base import RETRIES
from ontap_mlops.pipelines.params import TRACKED, training_params
from ontap_mlops.pipelines.run import Run
from ontap_mlops.pipelines.system import System

log = logging.getLogger(__name__)


def training_dag(
    system: System,
    *,
    doc_md: str | None,
    description: str,
    params: Mapping[str, Param] | None = None,
    options: Mapping[str, Param] | None = None,
    schedule: str | None = "@daily",
    max_active_runs: int = 2,
    **kwargs: Any,
) -> Callable[[Callable[[Run], None]], DAG | None]:
    """Make the DAG named like the decorated function, or nothing where the system's dataset is not configured.

    It runs by ``schedule``, whenever the dataset gets a new version and, where ``drift.yaml`` watches the model, when
    its data has drifted; or on drift alone, where that file says so. Missed dates are not caught up by themselves;
    ``airflow backfill create`` trains each date on the version that was current then.

    :param params: the system's own Params; their values are part of the training's record, so a repeated run gets them.
    :param options: Params that say how to run, not what to train; they are no part of the record.
    :param max_active_runs: runs side by side; they take turns at judging and deploying.
    :param kwargs: further arguments of the DAG.
    """

    def make(steps: Callable[[Run], None]) -> DAG | None:
        dataset = registry.find(system.dataset)
        if dataset is None:
            log.info("%s is left out: dataset %s is not configured", steps.__name__, system.dataset)
            return None
        own = dict(params or {})
        with DAG(
            dag_id=steps.__name__,
            description=description,
            doc_md=doc_md,
            schedule=_schedule(schedule, dataset, system.registered_model),
            start_date=datetime(2025, 1, 1, tzinfo=UTC),
            catchup=False,
            max_active_runs=max_active_runs,
            default_args={"retries": RETRIES, "ontap_conn_id": locations.chosen(dataset, "ontap_conn_id")},
            params=training_params(system, {**own, **(options or {})}),
            tags=["train", dataset.name],
            **kwargs,
        ) as dag:
            run = Run(system, dataset, tracked=[*own, *TRACKED])
            steps(run)
            run.finish()
        return dag

    return make


def _schedule(cron: str | None, dataset: registry.Dataset, model: str) -> Any:
    watch, asset = drift_watches.of_model(model), assets.dataset_asset(dataset)
    if watch and watch.train_on == drift_watches.DRIFT:
        return [assets.drift_asset(model)]
    started = asset | assets.drift_asset(model) if watch else asset
    if cron is None:
        return started
    return AssetOrTimeSchedule(timetable=CronTriggerTimetable(cron, timezone="UTC"), assets=started)
