"""The bases of operators on what a Kubernetes cluster holds; docs/trident.md goes the whole way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ontap_mlops.operators import places
from ontap_mlops.operators.clouds import _CloudOperator, _CloudWaitingOperator
from ontap_mlops.operators.context import run_key

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.compute.kinds.kubernetes.fields import KubernetesFields
    from ontap_mlops.kubernetes.api import Cluster

LIMIT_S = 600.0


class _KubernetesOperator(_CloudOperator):
    """Works in ``namespace``, or in that of the connection; ``place``, one of kind kubernetes, stands for both."""

    hook_class = "ontap_mlops.hooks.clusters.KubernetesClusterHook"
    template_fields: Sequence[str] = ("namespace", "place")

    def __init__(
        self,
        *,
        namespace: str | None = None,
        place: str = "",
        kubernetes_conn_id: str = "kubernetes_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.namespace = namespace
        self.place = place
        self.kubernetes_conn_id = kubernetes_conn_id

    @cached_property
    def fields(self) -> KubernetesFields | None:
        """What compute.yaml says of ``place``; None where none is given. Raises PlaceRefused for another kind."""
        return places.kubernetes_place(self.place) if self.place else None

    def where(self) -> dict[str, Any]:
        return {"kubernetes_conn_id": self.fields.connection if self.fields else self.kubernetes_conn_id}

    def namespace_on(self, cluster: Cluster) -> str:
        """Return the namespace to work in."""
        return self.namespace or (self.fields and self.fields.namespace) or cluster.namespace

    def named(self, cluster: Cluster, name: str) -> dict[str, str]:
        """Name and namespace of an object, as functions of ``kubernetes`` take them."""
        return {"name": name, "namespace": self.namespace_on(cluster)}

    def labels(self, context: Context, dataset_version: Any = None) -> dict[str, str]:
        """Our mark, the run and the dataset version (an id, or a task's result that has one as ``id``)."""
        from ontap_mlops.kubernetes_manifests.labels import labels

        return labels(run=run_key(context), dataset_version=version_in(dataset_version))


class _KubernetesWaitingOperator(_KubernetesOperator, _CloudWaitingOperator):
    """Waits until the cluster has done it, for ``wait_limit_s``; then the error has the cluster's last warning.

    What never came to be is withdrawn then, and when the task is killed; a worker that dies leaves it to the retry.
    """

    service = "Kubernetes"

    def __init__(self, *, wait_limit_s: float | None = LIMIT_S, poll_interval_s: float = 2.0, **kwargs: Any) -> None:
        # The limit is the look's: it alone has the words of the cluster.
        super().__init__(wait_limit_s=None, poll_interval_s=poll_interval_s, **kwargs)
        self.limit_s = wait_limit_s

    def deadline(self) -> float | None:
        from ontap_mlops.kubernetes.waits import until

        return until(self.limit_s)

    def finish(self, client: Any, payload: Any, context: Context) -> Any:
        self.log.info("%s", ", ".join(f"{name} {value}" for name, value in payload.items()))
        return payload


def name_of(given: Any, key: str = "name") -> str:
    """A name, given as text or as the result of the task that made the object."""
    return str(given[key] if isinstance(given, Mapping) else given)


def truth(value: Any) -> bool:
    """Whether an argument that a template may have turned into text is true."""
    return str(value).strip().lower() in ("true", "1", "yes")


def version_in(given: Any) -> str | None:
    """The id of a dataset version, given as text or as a task's result that has one as ``id`` or ``version``."""
    return (given.get("id") or given.get("version") if isinstance(given, Mapping) else given) or None
