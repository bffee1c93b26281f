"""Projects as Kueue has them: a ClusterQueue for each in one cohort, and a LocalQueue in the place's namespace.

Quotas are taken back from whoever has borrowed them, whatever its priority; idle ones are lent by the weights where
fair sharing is switched on in Kueue's own configuration. GPUs are counted whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ontap_mlops.kubernetes_manifests.labels import labels
from ontap_mlops.kubernetes_manifests.queues import Entrance, Queue, whole

GROUP = "kueue.x-k8s.io"
COHORT = "ontap-mlops"
QUEUE_LABEL, PRIORITY_LABEL = f"{GROUP}/queue-name", f"{GROUP}/priority-class"
TRAINING, INTERACTIVE = "ontap-mlops-training", "ontap-mlops-interactive"
_PRIORITIES = {TRAINING: 50, INTERACTIVE: 100}
GPU_FLAVOR, REST_FLAVOR = "ontap-mlops-gpu", "ontap-mlops-rest"
# Kueue admits no pod that asks for something without a quota: CPUs and memory have one that nobody reaches.
_REST = {"cpu": "1M", "memory": "1Pi"}


def manifests(
    queues: Sequence[Queue], namespace: str, *, version: str = "v1beta1", gpu_resource: str = "nvidia.com/gpu"
) -> list[dict[str, Any]]:
    """Return everything in the order in which it is made. ``version`` is the cluster's own of Kueue's API."""
    made = [_made(version, "ResourceFlavor", name, spec={}) for name in (REST_FLAVOR, GPU_FLAVOR)]
    for name, value in _PRIORITIES.items():
        made.append({**_made(version, "WorkloadPriorityClass", name), "value": value})
    made += [_cluster_queue(queue, version, gpu_resource) for queue in queues]
    for queue in queues:
        spec = {"clusterQueue": queue.name}
        made.append(_made(version, "LocalQueue", queue.name, namespace=namespace, project=queue.name, spec=spec))
    return made


def entrance(queue: Queue, *, interactive: bool = False) -> Entrance:
    """Return what a Job and its pods carry. Shares of a GPU are not Kueue's affair: the caller refuses them."""
    return Entrance(
        labels={QUEUE_LABEL: queue.name, PRIORITY_LABEL: INTERACTIVE if interactive else TRAINING},
        node_selector=queue.interactive_nodes if interactive else queue.training_nodes,
    )


def _cluster_queue(queue: Queue, version: str, gpu_resource: str) -> dict[str, Any]:
    gpu: dict[str, Any] = {"name": gpu_resource, "nominalQuota": str(queue.quota)}
    if queue.limit is not None:
        gpu["borrowingLimit"] = str(queue.limit - queue.quota)
    rest = [{"name": name, "nominalQuota": amount} for name, amount in _REST.items()]
    spec = {
        "cohort" if version == "v1beta1" else "cohortName": COHORT,
        "namespaceSelector": {},
        "queueingStrategy": "BestEffortFIFO",
        "preemption": {"reclaimWithinCohort": "Any", "withinClusterQueue": "LowerPriority"},
        "fairSharing": {"weight": str(whole(queue.weight))},
        "resourceGroups": [
            {"coveredResources": list(_REST), "flavors": [{"name": REST_FLAVOR, "resources": rest}]},
            {"coveredResources": [gpu_resource], "flavors": [{"name": GPU_FLAVOR, "resources": [gpu]}]},
        ],
    }
    return _made(version, "ClusterQueue", queue.name, project=queue.name, spec=spec)


def _made(
    version: str,
    kind: str,
    name: str,
    *,
    namespace: str | None = None,
    project: str | None = None,
    spec: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "labels": labels(project=project)}
    if namespace:
        metadata["namespace"] = namespace
    made = {"apiVersion": f"{GROUP}/{version}", "kind": kind, "metadata": metadata}
    return made if spec is None else {**made, "spec": dict(spec)}
