"""What KServe's controller writes into the status of InferenceServices, without pods: no KServe can be installed here.

The definition has the names and the subresource of KServe's own, with fields unchecked.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ontap_mlops.kubernetes.api import Cluster

DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "inferenceservices.serving.kserve.io", "labels": {"ontap-mlops/stand-in": "true"}},
    "spec": {
        "group": "serving.kserve.io",
        "scope": "Namespaced",
        "names": {
            "kind": "InferenceService",
            "listKind": "InferenceServiceList",
            "plural": "inferenceservices",
            "singular": "inferenceservice",
            "shortNames": ["isvc"],
        },
        "versions": [
            {
                "name": "v1beta1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}


@contextmanager
def running(cluster: Cluster, broken: str) -> Iterator[None]:
    """Follow the namespace's InferenceServices; a storage URI with ``broken`` in it can never be loaded."""
    ended = threading.Event()
    thread = threading.Thread(target=_follow, args=(cluster, broken, ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(10)


def _follow(cluster: Cluster, broken: str, ended: threading.Event) -> None:
    while not ended.wait(0.2):
        for found in cluster.select("InferenceService"):
            seen = (found.get("status") or {}).get("observedGeneration")
            if seen != found["metadata"]["generation"]:
                _tell(cluster, found, broken)


def _tell(cluster: Cluster, found: dict[str, Any], broken: str) -> None:
    name, generation = found["metadata"]["name"], found["metadata"]["generation"]
    is_broken = broken in found["spec"]["predictor"]["model"]["storageUri"]
    failure = {"reason": "ModelLoadFailed", "message": "no such folder on the claim"} if is_broken else None
    transition = "BlockedByFailedLoad" if is_broken else "UpToDate"
    status = {
        "observedGeneration": generation,
        "url": f"http://{name}.example.com",
        "conditions": [{"type": "Ready", "status": "False" if is_broken else "True"}],
        "modelStatus": {"transitionStatus": transition, "lastFailureInfo": failure},
    }
    path = f"{cluster.resource('InferenceService').path(cluster.namespace, name)}/status"
    content = "application/merge-patch+json"
    cluster.call("PATCH", path, body={"status": status}, asked="tell the status", content_type=content)
