"""From an Airflow connection of type ``kubernetes`` to the cluster behind it, as waiting operators want their hooks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ontap_mlops.kubernetes.api import Cluster


class KubernetesClusterHook:
    """The cluster of a connection; its fields are those of Airflow's own Kubernetes provider."""

    def __init__(self, kubernetes_conn_id: str = "kubernetes_default") -> None:
        self.kubernetes_conn_id = kubernetes_conn_id

    @contextmanager
    def client(self) -> Iterator[Cluster]:
        """Raises ConnectionUnusable, and PlaceRefused where the provider is not installed."""
        from ontap_mlops.compute.connections import kubernetes_cluster

        yield kubernetes_cluster(self.kubernetes_conn_id)
