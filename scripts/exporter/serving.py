"""Which model version serves where: what the registry says, and what the servers answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from scripts.exporter.looking import Figures, Look, Told

if TYPE_CHECKING:
    from ontap_mlops.hooks.mlflow import MlflowHook
    from ontap_mlops.records import ModelVersion

_DEPLOYMENT = ("model", "version", "kind", "endpoint", "dataset", "dataset_version")


class Registry:
    """Model versions and champions, as MLflow has them. ``champions`` are those of the last look."""

    kind = "mlflow"
    every_s = 60.0
    kept_looks = 10
    metrics: Mapping[str, Told] = {
        "model_versions": Told("Versions of a model that are registered and not retired.", ("model",)),
        "model_champion_version": Told("Number of the version that is to serve.", ("model",)),
        "model_newest_version_timestamp_seconds": Told("When the newest version was made.", ("model",)),
        "deployment_timestamp_seconds": Told("When the version that is to serve came into service.", _DEPLOYMENT),
        "deployment_state": Told(
            "1 for how far the deployment of a version has come; versions that once served and were replaced are left "
            "out.",
            ("model", "version", "state"),
        ),
    }

    def __init__(self, mlflow_conn_id: str = "mlflow_default") -> None:
        self.mlflow_conn_id = mlflow_conn_id
        self.champions: dict[str, tuple[ModelVersion, dict[str, Any]]] = {}
        """Model to its champion and what is noted of its serving: kind and options."""

    def sources(self) -> Mapping[str, Look]:
        return {self.mlflow_conn_id: self._look}

    def _look(self) -> Figures:
        from ontap_mlops.hooks.mlflow import MlflowHook

        figures, mlflow = Figures(), MlflowHook(self.mlflow_conn_id)
        models: dict[str, list[ModelVersion]] = {}
        for version in mlflow.model_versions():
            models.setdefault(version.model, []).append(version)
        champions = {}
        for model, versions in models.items():
            figures.put("model_versions", model, value=len(versions))
            newest = max(datetime.fromisoformat(version.created_at).timestamp() for version in versions)
            figures.put("model_newest_version_timestamp_seconds", model, value=newest)
            champion, noted = mlflow.champion(model), {}
            if champion is not None:
                noted = mlflow.serving_note(champion)
                _champion(figures, mlflow, champion, noted)
                champions[model] = (champion, noted)
            _states(figures, mlflow, model, champion)
        self.champions = champions
        return figures


class Serving:
    """Whether each champion answers where it was deployed. In doubt nothing is told of it."""

    kind = "serving"
    every_s = 60.0
    kept_looks = 0
    metrics: Mapping[str, Told] = {
        "deployment_up": Told("1 if clients are answered by the version that is to serve, 0 if by another or none.",
                              ("model", "version", "kind", "endpoint")),
    }  # fmt: skip

    def __init__(self, registry: Registry) -> None:
        self.registry = registry

    def sources(self) -> Mapping[str, Look]:
        known = self.registry.champions
        return {model: partial(_answers, *of) for model, of in known.items() if of[1].get("kind")}


def _answers(version: ModelVersion, noted: Mapping[str, Any]) -> Figures:
    from ontap_mlops.serving.kind import kind

    serving, figures = kind(noted["kind"], noted.get("options")), Figures()
    labels = (version.model, str(version.version), noted["kind"], serving.endpoint(version))
    figures.put("deployment_up", *labels, value=float(serving.serves(version)))
    return figures


def _champion(figures: Figures, mlflow: MlflowHook, champion: ModelVersion, noted: Mapping[str, Any]) -> None:
    figures.put("model_champion_version", champion.model, value=champion.version)
    deployment = mlflow.deployment(champion)
    if deployment is None:  # somebody gave the alias by hand
        return
    data = champion.dataset_version
    labels = (champion.model, str(champion.version), str(noted.get("kind", "")), deployment.endpoint)
    at = datetime.fromisoformat(deployment.deployed_at).timestamp()
    figures.put("deployment_timestamp_seconds", *labels, data.dataset, data.id, value=at)


def _states(figures: Figures, mlflow: MlflowHook, model: str, champion: ModelVersion | None) -> None:
    from ontap_mlops.hooks.mlflow import SERVING_TAG

    for version, tags in mlflow.versions_with_tags(model):
        state = json.loads(tags.get(SERVING_TAG) or "{}").get("state")
        is_champion = champion is not None and champion.version == version.version
        if state and (is_champion or state != "serving"):
            figures.put("deployment_state", model, str(version.version), state, value=1)
