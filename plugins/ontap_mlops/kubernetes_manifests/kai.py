"""Projects as KAI Scheduler has them: a ``Queue`` for each, below one for the cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ontap_mlops.kubernetes_manifests.labels import labels
from ontap_mlops.kubernetes_manifests.queues import Entrance, Queue, whole

API_VERSION = "scheduling.run.ai/v2"
KIND = "scheduling.run.ai/Queue"
PARENT = "ontap-mlops"
QUEUE_LABEL = "kai.scheduler/queue"
SHARE_ANNOTATION = "gpu-fraction"
SCHEDULER = "kai-scheduler"
NO_LIMIT = -1
# Classes that come with KAI: from 100 on a workload is never preempted, and so never runs beyond its quota.
TRAINING, INTERACTIVE = "train", "build"


def manifests(queues: Sequence[Queue], gpus: int) -> list[dict[str, Any]]:
    """Return the queue of the cluster, and one for each project in it. Only GPUs are counted."""
    return [_queue(PARENT, gpus, 1, NO_LIMIT), *(_of_project(queue) for queue in queues)]


def entrance(queue: Queue, *, share: float = 0.0, interactive: bool = False) -> Entrance:
    """Return what a pod carries; ``share`` is its part of one GPU, for which it must ask for no GPU itself."""
    return Entrance(
        scheduler_name=SCHEDULER,
        labels={QUEUE_LABEL: queue.name, "priorityClassName": INTERACTIVE if interactive else TRAINING},
        annotations={SHARE_ANNOTATION: f"{share:g}"} if share else {},
        node_selector=queue.interactive_nodes if interactive else queue.training_nodes,
    )


def _of_project(queue: Queue) -> dict[str, Any]:
    limit = NO_LIMIT if queue.limit is None else queue.limit
    made = _queue(queue.name, queue.quota, queue.weight, limit, project=queue.name)
    made["spec"] |= {"parentQueue": PARENT, "priority": queue.priority}
    return made


def _queue(name: str, quota: int, weight: float, limit: int, project: str | None = None) -> dict[str, Any]:
    free = {"quota": NO_LIMIT, "limit": NO_LIMIT, "overQuotaWeight": 1}
    gpu = {"quota": quota, "limit": limit, "overQuotaWeight": whole(weight)}
    return {
        "apiVersion": API_VERSION,
        "kind": "Queue",
        "metadata": {"name": name, "labels": labels(project=project)},
        "spec": {"displayName": name, "resources": {"cpu": dict(free), "memory": dict(free), "gpu": gpu}},
    }
