"""Waiting for what a cluster does by itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from ontap_mlops.kubernetes.api import Cluster
from ontap_mlops.kubernetes_manifests.labels import MANAGED_BY, OURS

KINDS = ("Job", "Pod", "Secret", "ConfigMap", "PersistentVolumeClaim", "PersistentVolume")
T = TypeVar("T")


def wait_until(condition: Callable[[], T], seconds: float = 240) -> T:
    """Return the first true answer; fail after ``seconds``, which only bound a test that would hang."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"not so after {seconds} s: {getattr(condition, '__name__', condition)}"
        time.sleep(0.2)
    return answer


def left(cluster: Cluster) -> dict[str, list[str]]:
    """Names of what a namespace still has of ours, by kind. Volumes are the whole cluster's: those of its claims."""
    found = {kind: cluster.select(kind, {MANAGED_BY: OURS}) for kind in KINDS}
    claims = [one["spec"].get("claimRef") or {} for one in found["PersistentVolume"]]
    of_here = [claim.get("namespace") == cluster.namespace for claim in claims]
    found["PersistentVolume"] = [one for one, here in zip(found["PersistentVolume"], of_here, strict=True) if here]
    return {kind: [one["metadata"]["name"] for one in ones] for kind, ones in found.items() if ones}


def nothing_is_left(cluster: Cluster) -> None:
    wait_until(lambda: not left(cluster))
