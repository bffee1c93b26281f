"""One DAG for each system of `config/drift.yaml` whose data is watched for drift; its page is made by `_page`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, AssetOrTimeSchedule, CronTriggerTimetable

from ontap_mlops import assets, drift_watches, registry
from ontap_mlops.operators.base import RETRIES
from ontap_mlops.operators.choose import RunChooseOperator
from ontap_mlops.operators.drift import (
    ALARM,
    APPROVE,
    BASELINE,
    COMPARE,
    DECIDE,
    DriftAlarmOperator,
    DriftApproveOperator,
    DriftBaselineOperator,
    DriftCompareOperator,
    DriftDecideOperator,
)
from ontap_mlops.pipelines.drift import LIMITS, drift_params


def _page(watch: drift_watches.Watch) -> str:
    return f"""
    # Drift of `{watch.name}`

    **What.** Compares new data of `{watch.dataset}` with the version that the champion of `{watch.model}` was trained
    on: `choose` a version → `baseline` (the champion, its version, and since when rows are new) → `compare` (inputs,
    the champion's confidence and, where there are labels, how right it is) → `decide` → `approve` (a person, under
    *Required actions*) → `raise_alarm`: an event on the asset `drift/{watch.model}`, which starts the training.

    **When it runs.** `{watch.schedule or "Only when triggered"}`{
        ", and whenever the dataset gets a new version" if watch.on_new_versions else ""
    }. A daily or backfilled run compares the version that was current at its logical date; a backfill shows what it
    finds and starts nothing. A date without anything newer than the baseline is skipped with a sentence.

    **What it needs.** A champion of the model, and its dataset version still there; connections `ontap_default` and
    `mlflow_default`.

    **What it leaves behind.** A run of the experiment `drift_{watch.name}` in MLflow, with the report `drift.html`: a
    page that can be sent on.

    **If it fails.** A version that cannot be compared (other columns, nothing readable, the baseline removed) fails
    `baseline` or `compare` with a sentence, and is no alarm; neither are too few rows. An approval that nobody gives
    within {watch.approval_days} days is a no.
    """


def _schedule(watch: drift_watches.Watch, dataset: registry.Dataset) -> Any:
    asset = assets.dataset_asset(dataset) if watch.on_new_versions else None
    if watch.schedule is None:
        return asset
    timetable = CronTriggerTimetable(watch.schedule, timezone="UTC")
    return AssetOrTimeSchedule(timetable=timetable, assets=asset) if asset else timetable


def drift_dag(watch: drift_watches.Watch, dataset: registry.Dataset) -> DAG:
    with DAG(
        dag_id=f"drift_{watch.name}",
        description=f"New data of {watch.dataset} against what the champion of {watch.model} was trained on",
        doc_md=_page(watch),
        schedule=_schedule(watch, dataset),
        start_date=datetime(2025, 1, 1, tzinfo=UTC),
        catchup=False,
        max_active_runs=2,
        default_args={"retries": RETRIES, "ontap_conn_id": dataset.ontap_conn_id},
        tags=["drift", dataset.name],
        params=drift_params(watch),
    ) as dag:
        choose = RunChooseOperator(task_id="choose", dataset=dataset.name, model=watch.model, parameters=LIMITS)
        baseline = DriftBaselineOperator(
            task_id=BASELINE,
            dataset=dataset.name,
            model=watch.model,
            version="{{ params.model_version or '' }}",
            window_days="{{ params.window_days }}",
        )
        compare = DriftCompareOperator(
            task_id=COMPARE,
            system=watch.name,
            alarm_on="{{ params.alarm_on | join(',') }}",
            compute="{{ params.compute }}",
            time_limit=timedelta(hours=1),
        )
        decide = DriftDecideOperator(task_id=DECIDE)
        approve = DriftApproveOperator(
            task_id=APPROVE,
            subject=f"Drift of {watch.name}: start a training of {watch.model}?",
            response_timeout=timedelta(days=watch.approval_days),
        )
        alarm = DriftAlarmOperator(
            task_id=ALARM, outlets=[assets.drift_asset(watch.model)], trigger_rule="none_failed_min_one_success"
        )
        choose >> baseline >> compare >> decide >> [approve, alarm]
        approve >> alarm
    return dag


for _watch in drift_watches.usable().values():
    if _dataset := registry.find(_watch.dataset):
        globals()[f"drift_{_watch.name}"] = drift_dag(_watch, _dataset)
