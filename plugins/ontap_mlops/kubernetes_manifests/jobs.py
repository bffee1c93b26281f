"""The Job of a workload, and the objects that belong to it and go with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ATTEMPT = "ontap-mlops/attempt"
"""Annotation of a Job: what tells the names of its Secret and ConfigMap from those of an earlier one of its name."""
RELEASED = "ontap-mlops/released"
"""Annotation of a Job: since when all that it needs is there and its pods may start (seconds since 1970)."""
PROCESSES = "ontap-mlops/processes"
RESTARTS = "ontap-mlops/restarts"
"""Annotation of a Job of several processes: how often all of them were started again after one was lost."""
PREPARING_S = 600  # for which a Job whose other objects are not all made yet is kept


def job(
    *,
    name: str,
    namespace: str,
    template: Mapping[str, Any],
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
    keep_s: float,
) -> dict[str, Any]:
    """Return a Job that starts nothing yet: ``released`` lets it.

    One whose maker died before that ends by itself, and with it what it owns.
    """
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": _metadata(name, namespace, labels, annotations),
        "spec": {
            "parallelism": 0,
            "completions": 1,
            "backoffLimit": 0,
            "activeDeadlineSeconds": PREPARING_S,
            "ttlSecondsAfterFinished": round(keep_s),
            "template": dict(template),
        },
    }


def survives_disruption(made: Mapping[str, Any]) -> dict[str, Any]:
    """Return the Job so that a pod which the cluster itself takes away (drain, preemption) is replaced, not failed.

    From Kubernetes 1.26 on; before, a pod that is deleted was always replaced.
    """
    rules = [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]
    return {**made, "spec": {**made["spec"], "podFailurePolicy": {"rules": rules}}}


def released(at: float, pods: int) -> dict[str, Any]:
    """Return the change that lets a Job start this many pods; 0 where others start them."""
    changes: dict[str, Any] = {"metadata": {"annotations": {RELEASED: f"{at:.3f}"}}}
    changes["spec"] = {"parallelism": pods, "activeDeadlineSeconds": None}
    return changes


def secret(
    *, name: str, namespace: str, labels: Mapping[str, str], owner: Mapping[str, Any], values: Mapping[str, str]
) -> dict[str, Any]:
    """Return the Secret whose entries become a program's variables."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {**_metadata(name, namespace, labels, {}), "ownerReferences": [owned_by(owner)]},
        "stringData": dict(sorted(values.items())),
    }


def files(
    *, name: str, namespace: str, labels: Mapping[str, str], owner: Mapping[str, Any], texts: Mapping[str, str]
) -> dict[str, Any]:
    """Return the ConfigMap whose entries become files that a program reads."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {**_metadata(name, namespace, labels, {}), "ownerReferences": [owned_by(owner)]},
        "data": dict(sorted(texts.items())),
    }


def owned_by(owner: Mapping[str, Any]) -> dict[str, Any]:
    """Return the reference after which an object goes when ``owner``, as the API gave it, does."""
    metadata = owner["metadata"]
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": metadata["name"],
        "uid": metadata["uid"],
    }


def _metadata(name: str, namespace: str, labels: Mapping[str, str], annotations: Mapping[str, str]) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "namespace": namespace, "labels": dict(labels)}
    return {**metadata, "annotations": dict(annotations)} if annotations else metadata
