"""What ``compute.yaml`` says of a place on a Kubernetes cluster: its keys, apart from what runs there."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ontap_mlops.compute.kinds.base import BasePlace
from ontap_mlops.config_file import Section, shaped
from ontap_mlops.kubernetes_manifests.pods import Terms

Name = Annotated[str, shaped(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", "Kubernetes' names are of a-z, 0-9, - and .")]


class Reach(Section):
    """How pods reach the namespace of one SVM.

    ``nfs``: the address of one of its data LIFs; nodes mount ``<nfs>:<junction path>``. ``host_path``: the folder where
    every node has the namespace mounted already. With ``claims`` a volume and a claim are made for each mount of a
    workload and gone after it, where pods may use claims only; ``mount_options`` need that. ``trident``: the name of
    Trident's back end on the SVM, which imports each volume into a claim of ``storage_class``, for as long as a
    workload mounts it; for volumes that are mounted under their own name.
    """

    nfs: str = ""
    host_path: Annotated[str, shaped(r"(/[^:]*)?", "give a folder of the nodes, like /srv/svm1")] = ""
    claims: bool = False
    mount_options: list[str] = []
    trident: str = ""
    storage_class: str = ""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if [bool(self.nfs), bool(self.host_path), bool(self.trident)].count(True) != 1:
            raise ValueError(
                "give one of nfs, the address of a data LIF, host_path, a folder of the nodes, and trident, a back end"
            )
        if bool(self.trident) != bool(self.storage_class):
            raise ValueError("trident and storage_class, the class of its claims, belong together")
        if self.trident and self.claims:
            raise ValueError("claims: true is for nfs and host_path; with trident there is always a claim")
        if self.mount_options and not self.claims:
            raise ValueError("mount_options need claims: true, since a pod cannot give options for a volume")
        return self


class Where(Section):
    """A namespace of a cluster, and what the pods there have in common.

    ``connection`` is of type ``kubernetes``; ``namespace`` is the connection's own if not given. ``image`` holds the
    programs and is used where a workload names none. ``namespaces`` says how pods reach each SVM's namespace,
    ``default`` that of any other. ``shm_gib`` is the size of ``/dev/shm``, which PyTorch's loaders share batches in
    (a container gets 64 MiB otherwise); it counts as the pod's memory. ``user`` and ``group`` are the numbers that
    programs run as and write volumes as; the image's own if not given.

    ``scheduler`` says who places the pods: the cluster's own, or one that knows GPU projects (docs/gpu-projects.md).

    ``restarts``: how often a workload begins again after the cluster took a pod of it away (preempted, drained, node
    lost).
    ``keep_s``: how long the cluster keeps a Job that ended and that nobody came back for.
    """

    kind: Literal["kubernetes"]
    connection: str = "kubernetes_default"
    namespace: Name | None = None
    image: str = ""
    pull_policy: Literal["", "Always", "IfNotPresent", "Never"] = ""
    pull_secrets: list[Name] = []
    service_account: str = ""
    node_selector: dict[str, str] = {}
    tolerations: list[dict[str, Any]] = []
    host_network: bool = False
    shm_gib: Annotated[float, Field(gt=0)] | None = None
    user: Annotated[int, Field(ge=0)] | None = None
    group: Annotated[int, Field(ge=0)] | None = None
    namespaces: dict[str, Reach] = {}
    gpu_resource: str = "nvidia.com/gpu"
    scheduler: Literal["kubernetes", "kai", "kueue"] = "kubernetes"
    grace_s: Annotated[float, Field(ge=1)] = 30.0
    restarts: Annotated[int, Field(ge=0)] = 3
    keep_s: Annotated[float, Field(ge=60)] = 7 * 86400.0

    def terms(self) -> Terms:
        """Return what all its pods have in common."""
        return Terms(
            pull_policy=self.pull_policy,
            service_account=self.service_account,
            pull_secrets=self.pull_secrets,
            node_selector=self.node_selector,
            tolerations=self.tolerations,
            host_network=self.host_network,
            shm_gib=self.shm_gib,
            user=self.user,
            group=self.group,
            grace_s=self.grace_s,
        )


class KubernetesFields(Where, BasePlace):
    """A place on a cluster: where its pods are, and what every place has."""

    keeps_ended: ClassVar[bool] = False
