"""KServe's InferenceService of one model, served by Triton from a folder of a claim."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

VERSION = "ontap-mlops/model-version"
"""Annotation: number of the version that is asked for."""
BEFORE = "ontap-mlops/before"
"""Annotation: storage URI of the version that it replaced; empty where there was none."""
BEFORE_VERSION = "ontap-mlops/before-version"


def storage_uri(claim: str, folder: str) -> str:
    """Return how KServe calls a folder of a claim."""
    return f"pvc://{claim}/{folder.strip('/')}"


def inference_service(
    *,
    name: str,
    namespace: str,
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
    uri: str,
    runtime: str = "",
    limits: Mapping[str, str] | None = None,
    service_account: str = "",
) -> dict[str, Any]:
    """An InferenceService that serves the models in ``uri`` by the Open Inference Protocol."""
    model: dict[str, Any] = {"modelFormat": {"name": "triton"}, "protocolVersion": "v2", "storageUri": uri}
    if runtime:
        model["runtime"] = runtime
    if limits:
        model["resources"] = {"limits": dict(limits), "requests": dict(limits)}
    predictor: dict[str, Any] = {"minReplicas": 1, "model": model}
    if service_account:
        predictor["serviceAccountName"] = service_account
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": dict(labels),
            "annotations": dict(annotations),
        },
        "spec": {"predictor": predictor},
    }


def replaced(uri: str, annotations: Mapping[str, str | None]) -> dict[str, Any]:
    """Return the change that serves another folder; None takes an annotation away."""
    return {
        "metadata": {"annotations": dict(annotations)},
        "spec": {"predictor": {"model": {"storageUri": uri}}},
    }
