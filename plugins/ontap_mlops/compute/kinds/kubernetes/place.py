"""A place on a Kubernetes cluster, and what runs there."""

from __future__ import annotations

from ontap_mlops.compute import connections
from ontap_mlops.compute.kinds.kubernetes.fields import KubernetesFields
from ontap_mlops.compute.kinds.kubernetes.runner import KubernetesRunner
from ontap_mlops.compute.workload import PlaceRefused
from ontap_mlops.kubernetes.api import Cluster
from ontap_mlops.kubernetes_manifests.dask import Workers
from ontap_mlops.projects import config as known_projects
from ontap_mlops.projects.kubernetes_queues import KubernetesQueues


class KubernetesPlace(KubernetesFields):
    """A namespace of a cluster, described by its keys."""

    def runner(self, workers: Workers | None = None) -> KubernetesRunner:
        """``workers``: of Dask, for programs there that ask for them."""
        return KubernetesRunner(self, lambda: connections.kubernetes_cluster(self.connection), workers)

    def projects(self) -> KubernetesQueues:
        if self.scheduler == "kubernetes":
            raise PlaceRefused(
                "Kubernetes' own scheduler knows no GPU projects; install KAI Scheduler or Kueue and give the place "
                "scheduler: kai or scheduler: kueue"
            )
        cluster = connections.kubernetes_cluster(self.connection)
        where = Cluster(cluster.client, self.namespace or cluster.namespace)
        return KubernetesQueues(where, known_projects.projects(), self.scheduler, self.gpu_resource)
