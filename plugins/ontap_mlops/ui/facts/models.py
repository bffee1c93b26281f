"""What MLflow tells: registered versions with what serves, and the trainings on a dataset version."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ontap_mlops.hooks import mlflow_pages
from ontap_mlops.records import Deployment, Evidence, ModelVersion
from ontap_mlops.ui.facts.shapes import Experiment, Model, Training

SHOWN_PARAMETERS = 60


def registered() -> list[Model]:
    """All versions that a promotion registered, newest first; two requests where there are under a thousand."""
    from ontap_mlops.hooks.mlflow import MlflowHook

    hook = MlflowHook()
    champions = hook.champions()
    found = [
        _model(version, tags, champions.get(version.model) == version.version, hook.tracking_uri)
        for version, tags in hook.versions_of_all()
    ]
    return sorted(found, key=lambda each: each.created_at or datetime.min.replace(tzinfo=UTC), reverse=True)


def trainings(version_id: str) -> list[Training]:
    """Runs that say they stand on this dataset version, newest first."""
    from ontap_mlops.hooks.mlflow import MlflowHook

    hook = MlflowHook()
    return [_training(run, version_id, hook.tracking_uri) for run in hook.runs_on(version_id)]


def experiment(run_key: str) -> tuple[Experiment, Training] | None:
    """What the run has frozen, and its training; None where it has frozen nothing, or MLflow does not know it."""
    from ontap_mlops.hooks.mlflow import MlflowHook

    hook = MlflowHook()
    run = hook.find_run(run_key)
    frozen = hook.experiments.of_run(run) if run else None
    if run is None or frozen is None:
        return None
    shown = Experiment(
        run_key=frozen.run_key,
        model=frozen.model,
        dataset=frozen.dataset_version.dataset,
        dataset_version=frozen.dataset_version.id,
        svm=frozen.svm,
        volume=frozen.volume,
        snapshot=frozen.snapshot,
        created_at=_moment(frozen.created_at),
        code_commit=frozen.code_commit,
        programs=frozen.programs,
    )
    return shown, _training(run, frozen.dataset_version.id, hook.tracking_uri)


def origin_of(models: list[Model], model: str) -> list[tuple[str, str]]:
    """Every (dataset, version) that any version of the model was trained on, oldest first."""
    return sorted({(each.dataset, each.dataset_version) for each in models if each.model == model}, key=lambda s: s[1])


def _model(version: ModelVersion, tags: Mapping[str, str], serves: bool, server: str) -> Model:
    from ontap_mlops.hooks.mlflow import DEPLOYMENT_TAG, EVIDENCE_TAG, RETIRED_TAG

    deployment = _deployment(tags.get(DEPLOYMENT_TAG))
    state = (
        "serving" if serves else "retired" if RETIRED_TAG in tags else "served before" if deployment else "registered"
    )
    return Model(
        model=version.model,
        version=version.version,
        state=state,  # type: ignore[arg-type]
        dataset=version.dataset_version.dataset,
        dataset_version=version.dataset_version.id,
        run_key=version.run_key,
        created_at=_moment(version.created_at),
        metrics=_numbers(version.metrics),
        parameters=dict(list(version.parameters.items())[:SHOWN_PARAMETERS]),
        code_commit=version.code_commit,
        endpoint=deployment.endpoint if deployment and serves else "",
        deployed_at=_moment(deployment.deployed_at) if deployment else None,
        mlflow_url=mlflow_pages.model_page(server, version.model, version.version),
        locked_until=_locked_until(tags.get(EVIDENCE_TAG)),
        scan=_scan(version.scan),
    )


def _locked_until(kept: str | None) -> datetime | None:
    """When the first of the snapshots that are locked for the version can be removed again."""
    try:
        ends = [_moment(each["until"]) for each in Evidence.from_json(json.loads(kept)).locked] if kept else []
    except (ValueError, KeyError):
        return None
    return min((end for end in ends if end), default=None)


def _scan(scan: Mapping[str, Any]) -> str:
    if not scan:
        return ""
    found = ", ".join(f"{kind} in {count} files" for kind, count in scan.get("personal_data", {}).items())
    when = "before the version was frozen" if scan.get("by") == "check" else "when the model was promoted"
    return f"{found or 'no personal data found'}{' (allowed)' if found else ''}, {when}"


def _deployment(kept: str | None) -> Deployment | None:
    try:
        return Deployment.from_json(json.loads(kept)) if kept else None
    except ValueError:  # of a newer release: that it served is known, where and how is not
        return None


def _training(run: Mapping[str, Any], version_id: str, server: str) -> Training:
    from ontap_mlops.hooks.mlflow_experiments import EXPERIMENT_TAG
    from ontap_mlops.hooks.mlflow_service import tags
    from ontap_mlops.hooks.mlflow_trainings import RECORD_TAG, RUN_KEY_TAG

    info, said = run["info"], tags(run["data"])
    started, judged = info.get("start_time"), _judged(said.get(RECORD_TAG))
    dag_id, _, run_id = said.get("airflow_run", "").partition("/")
    return Training(
        run_key=said.get(RUN_KEY_TAG) or info["run_id"],
        dag_id=dag_id,
        run_id=run_id,
        dataset_version=version_id,
        state=str(info.get("status", "")).lower(),
        started_at=datetime.fromtimestamp(int(started) / 1000, UTC) if started else None,
        metrics=_numbers({**judged, **_tracked(run), **judged}),
        mlflow_url=mlflow_pages.run_page(server, info["run_id"]),
        repeatable=RECORD_TAG in said,
        experiment=EXPERIMENT_TAG in said,
    )


def _judged(record: str | None) -> dict[str, Any]:
    """What a training was judged by, the metric that decides first; {} where its record is too long for a tag."""
    try:
        return dict(json.loads(record or "{}").get("metrics", {}))
    except ValueError:
        return {}


def _tracked(run: Mapping[str, Any]) -> dict[str, Any]:
    return {metric["key"]: metric["value"] for metric in run["data"].get("metrics", ())}


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return None


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """Those that JSON can say."""
    return {
        name: float(value)
        for name, value in values.items()
        if isinstance(value, int | float) and abs(value) < float("inf")
    }
