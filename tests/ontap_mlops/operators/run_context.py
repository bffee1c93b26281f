"""A run as its tasks see it, without a scheduler: what earlier tasks returned, its Params, how it was started."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from ontap_mlops.records import Claim, DatasetVersion, ModelVersion, RunRecord, TrainingRecord

NOW = datetime(2026, 11, 20, 6, tzinfo=UTC)
PARAMS: dict[str, Any] = {
    "dataset_version": None,
    "as_of": None,
    "repeat_run": None,
    "promote": "if_better",
    "metric": "accuracy",
    "judge_by": "interval",
    "minimum_gain": 0.0,
    "confidence": 0.95,
    "seed": 1,
}
VERSION = DatasetVersion(
    dataset="tyre_images",
    id="v20261120t060000z00000001",
    svm="svm1",
    volume="tyre_images",
    volume_uuid="u",
    snapshot="mlops_v20261120t060000z00000001",
    snapshot_uuid="s1",
    created_at="2026-11-20T06:00:00+00:00",
    digest="sha256:1",
    files=1,
    bytes=1,
)
CHAMPION = ModelVersion(
    model="tyre",
    version=3,
    run_key="r20261119t060000z00000003",
    mlflow_run_id="m3",
    dataset_version=VERSION,
    svm="svm1",
    volume="tyre_models",
    folder="r20261119t060000z00000003",
    digest="sha256:3",
    snapshot="mlops_r20261119t060000z00000003",
    snapshot_uuid="s3",
    created_at="2026-11-19T06:10:00+00:00",
    code_commit="abc",
)
TRAINING = TrainingRecord(
    run_key="r1",
    mlflow_run_id="m1",
    dataset_version=VERSION,
    parameters={"seed": 7},
    metrics={"accuracy": 0.9, "f1": 0.8},
    code_commit="abc",
    dag_id="tyre_quality",
    model="tyre",
)


def record(**other: Any) -> RunRecord:
    facts = {
        "run_key": "r20261120t060000zabcdef01",
        "dag_id": "tyre_quality",
        "run_id": "manual__1",
        "model": "tyre",
        "dataset_version": VERSION,
        "parameters": {"seed": 1},
        "promote": "if_better",
        "code_commit": "abc",
    }
    return RunRecord(**{**facts, **other})


def claim(champion: ModelVersion | None = CHAMPION, held: bool = True) -> Claim:
    return Claim(model="tyre", run_key="r20261120t060000zabcdef01", held=held, champion=champion)


class TaskInstance:
    """``results`` by task id; what the task itself pushes lands in ``pushed``."""

    max_tries = 3
    map_index = -1

    def __init__(self, task_id: str = "task", results: dict[Any, Any] | None = None) -> None:
        self.task_id = task_id
        self.results = results or {}
        self.pushed: dict[str, Any] = {}
        self.log = logging.getLogger("task")

    def xcom_pull(self, task_ids: str, key: str = "return_value") -> Any:
        return self.results.get((task_ids, key), self.results.get(task_ids))

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


def context(
    results: dict[Any, Any] | None = None,
    *,
    params: dict[str, Any] | None = None,
    run_type: str = "manual",
    logical_date: datetime | None = NOW,
    run_after: datetime = NOW,
    events: dict[str, Any] | None = None,
    conf: dict[str, Any] | None = None,
) -> Any:
    run = SimpleNamespace(
        dag_id="tyre_quality",
        run_id="manual__1",
        run_type=run_type,
        logical_date=logical_date,
        run_after=run_after,
        conf=conf,
    )
    return {
        "dag_run": run,
        "ti": TaskInstance(results=results),
        "dag": SimpleNamespace(params=PARAMS),
        "params": {**PARAMS, **(params or {}), **(conf or {})},  # as Airflow merges them
        "triggering_asset_events": events or {},
    }
