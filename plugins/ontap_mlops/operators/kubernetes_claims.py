"""Operators on PersistentVolumeClaims: made, grown, cloned, shared, deleted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ontap_mlops.operators.base import bytes_of
from ontap_mlops.operators.kubernetes import _KubernetesOperator, _KubernetesWaitingOperator, name_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.kubernetes.api import Cluster
    from ontap_mlops.kubernetes_manifests.storage import Source

_MODES = ("ReadWriteMany",)


class _ClaimOperator(_KubernetesWaitingOperator):
    """Waits until a claim is bound and has its size."""

    look = "ontap_mlops.kubernetes.claims.look"
    cancel = "ontap_mlops.kubernetes.claims.withdraw"


class KubernetesClaimEnsureOperator(_ClaimOperator):
    """Make a claim once, and wait until it is bound to a volume.

    A claim of that name that is there is taken when it is what was asked for. A class that binds with the first pod is
    not waited for.

    :param claim: its name.
    :param size_bytes: how much it asks for at least.
    :param storage_class: such as one of Trident's; the cluster's default one if not given.
    :param access_modes: ``ReadWriteMany`` lets pods on many nodes write.
    :param dataset_version: id of the dataset version it is for, or a task's result that has one as ``id``; a label.
    :param namespace: the connection's own if not given.
    :param wait_limit_s: seconds after which a claim without a volume is withdrawn.
    :param kubernetes_conn_id: connection of type ``kubernetes``.
    :return: ``name``, ``namespace``, ``uid``, ``phase``, ``volume``, ``storage_class``, ``access_modes``,
        ``size_bytes``.
    """

    template_fields: Sequence[str] = (
        *_ClaimOperator.template_fields,
        "claim",
        "size_bytes",
        "storage_class",
        "dataset_version",
    )

    def __init__(
        self,
        *,
        claim: str,
        size_bytes: int | str,
        storage_class: str | None = None,
        access_modes: Sequence[str] = _MODES,
        dataset_version: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.claim = claim
        self.size_bytes = size_bytes
        self.storage_class = storage_class
        self.access_modes = access_modes
        self.dataset_version = dataset_version

    def begin(self, client: Cluster, context: Context) -> dict[str, Any]:
        return self._begun(client, context, bytes_of(self.size_bytes), None)

    def _begun(self, cluster: Cluster, context: Context, size_bytes: int, source: Source | None) -> dict[str, Any]:
        from ontap_mlops.kubernetes import claims

        where = self.named(cluster, self.claim)
        made = claims.ensure(
            cluster,
            name=where["name"],
            namespace=where["namespace"],
            size_bytes=size_bytes,
            labels=self.labels(context, self.dataset_version),
            storage_class=self.storage_class,
            access_modes=self.access_modes,
            source=source,
        )
        return {**where, "uid": made["metadata"]["uid"], "deadline": self.deadline()}


class KubernetesClaimCloneOperator(KubernetesClaimEnsureOperator):
    """Make a claim as a copy of another one of its namespace: with Trident a FlexClone, there in a second.

    :param claim: name of the copy.
    :param source: name of the claim to copy, or the result of the task that made it.
    :param size_bytes: as large as the source if not given, and never smaller.
    :param storage_class: the source's own if not given; a copy is made in the same one.
    :param access_modes: ``ReadWriteMany`` lets pods on many nodes write.
    :param dataset_version: id of the dataset version it is for, or a task's result that has one as ``id``; a label.
    :param namespace: the connection's own if not given.
    :param wait_limit_s: seconds after which a claim without a volume is withdrawn.
    :param kubernetes_conn_id: connection of type ``kubernetes``.
    :return: as that of :class:`KubernetesClaimEnsureOperator`.
    """

    template_fields: Sequence[str] = (*KubernetesClaimEnsureOperator.template_fields, "source")

    def __init__(self, *, source: Any, size_bytes: int | str | None = None, **kwargs: Any) -> None:
        super().__init__(size_bytes=size_bytes or "", **kwargs)
        self.source = source

    def begin(self, client: Cluster, context: Context) -> dict[str, Any]:
        from ontap_mlops.kubernetes import claims
        from ontap_mlops.kubernetes_manifests.storage import Source

        where = self.named(client, name_of(self.source))
        found = claims.get(client, claims.KIND, **where, asked=f"clone claim {where['namespace']}/{where['name']}")
        facts = claims.facts(found)
        self.storage_class = self.storage_class or facts["storage_class"] or None
        size = bytes_of(self.size_bytes) if self.size_bytes else facts["size_bytes"]
        return self._begun(client, context, size, Source(kind=claims.KIND, name=where["name"]))


class KubernetesClaimResizeOperator(_ClaimOperator):
    """Give a claim more room, and wait until it has it; pods go on working. A claim never shrinks.

    :param claim: its name, or the result of the task that made it.
    :param size_bytes: how much it is to have.
    :param namespace: the connection's own if not given.
    :param wait_limit_s: seconds after which the wait ends; the cluster goes on.
    :param kubernetes_conn_id: connection of type ``kubernetes``.
    :return: as that of :class:`KubernetesClaimEnsureOperator`.
    """

    cancel = ""
    template_fields: Sequence[str] = (*_ClaimOperator.template_fields, "claim", "size_bytes")

    def __init__(self, *, claim: Any, size_bytes: int | str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.claim = claim
        self.size_bytes = size_bytes

    def begin(self, client: Cluster, context: Context) -> dict[str, Any]:
        from ontap_mlops.kubernetes import claims

        where, size = self.named(client, name_of(self.claim)), bytes_of(self.size_bytes)
        found = claims.resize(client, **where, size_bytes=size)
        return {**where, "uid": found["metadata"]["uid"], "size_bytes": size, "deadline": self.deadline()}


class KubernetesClaimShareOperator(_KubernetesOperator):
    """Give a claim's volume other access modes, where what made the claim can only make it for one node.

    The volume must be able to: one over NFS is, one over iSCSI is not.

    :param claim: its name, or the result of the task that made it.
    :param access_modes: what it gets.
    :param namespace: the connection's own if not given.
    :param kubernetes_conn_id: connection of type ``kubernetes``.
    :return: name of the volume.
    """

    template_fields: Sequence[str] = (*_KubernetesOperator.template_fields, "claim")

    def __init__(self, *, claim: Any, access_modes: Sequence[str] = _MODES, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.claim = claim
        self.access_modes = access_modes

    def execute(self, context: Context) -> str:
        from ontap_mlops.kubernetes import claims

        with self.hook.client() as cluster:
            found = claims.share(cluster, **self.named(cluster, name_of(self.claim)), access_modes=self.access_modes)
        volume = found["spec"]["volumeName"]
        self.log.info("Volume %s has access modes %s", volume, ", ".join(self.access_modes))
        return str(volume)


class KubernetesClaimDeleteOperator(_KubernetesWaitingOperator):
    """Delete a claim that was made here, when no pod mounts it, and wait until its volume has gone with it.

    A claim that a pod mounts is left alone, and the task tried again. A volume that its class retains, or that was
    made outside, stays.

    :param claim: its name, or the result of the task that made it. One that is not there is no error.
    :param namespace: the connection's own if not given.
    :param wait_limit_s: seconds after which the error says what holds claim or volume.
    :param kubernetes_conn_id: connection of type ``kubernetes``.
    :return: ``name``, ``namespace``, ``volume_kept``.
    """

    look = "ontap_mlops.kubernetes.claims.look_gone"
    template_fields: Sequence[str] = (*_KubernetesWaitingOperator.template_fields, "claim")

    def __init__(self, *, claim: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.claim = claim

    def begin(self, client: Cluster, context: Context) -> dict[str, Any]:
        from ontap_mlops.kubernetes import claims

        begun = claims.delete(client, **self.named(client, name_of(self.claim)))
        return {**begun, "deadline": self.deadline()}
