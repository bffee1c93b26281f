"""How a workload enters the queue of its project, at a place whose scheduler has queues."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from ontap_mlops.compute.workload import PlaceRefused, Workload
from ontap_mlops.kubernetes_manifests import kai, kueue
from ontap_mlops.kubernetes_manifests.pods import Terms
from ontap_mlops.kubernetes_manifests.queues import Entrance
from ontap_mlops.projects import config
from ontap_mlops.projects.kubernetes_queues import as_queue

if TYPE_CHECKING:
    from ontap_mlops.compute.kinds.kubernetes.fields import KubernetesFields


def entrance(place: KubernetesFields, workload: Workload) -> Entrance:
    """Return what its pods and its Job carry; nothing where the cluster's own scheduler places them.

    Raises PlaceRefused for a share of a GPU where nothing can give one, and for a workload without a project where the
    scheduler takes none.
    """
    share = workload.resources.share
    if share and place.scheduler != "kai":
        raise PlaceRefused(
            f"workload {workload.name} asks for {share:g} of a GPU, and Kubernetes gives whole ones only where the "
            f"scheduler is {place.scheduler}; ask for 0 or 1, or name a place with scheduler: kai"
        )
    if place.scheduler == "kubernetes":
        return Entrance()
    if workload.project is None:
        raise PlaceRefused(
            f"workload {workload.name} names no project, and {place.scheduler} schedules what belongs to one only; "
            "name one of config/projects.yaml, or give the place a project"
        )
    queue = as_queue(config.projects().find(workload.project))
    if place.scheduler == "kai":
        return kai.entrance(queue, share=share, interactive=workload.interactive)
    return kueue.entrance(queue, interactive=workload.interactive)


def with_entrance(terms: Terms, entered: Entrance) -> Terms:
    """Return a place's terms as they are for pods that enter by a queue."""
    return dataclasses.replace(
        terms,
        scheduler_name=entered.scheduler_name,
        node_selector={**terms.node_selector, **entered.node_selector},
        annotations={**terms.annotations, **entered.annotations},
    )
