"""Operators on VolumeSnapshots: made, kept, restored to a new claim, deleted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ontap_mlops.operators.base import bytes_of
from ontap_mlops.operators.kubernetes import _KubernetesWaitingOperator, name_of, truth
from ontap_mlops.operators.kubernetes_claims import KubernetesClaimEnsureOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.kubernetes.api import Cluster


class KubernetesSnapshotCreateOperator(_KubernetesWaitingOperator):
    """Make a snapshot of a claim once, and wait until it can be used.

    :param snapshot: its name.
    :param claim: name of the claim, or the result of the task that made it.
    :param snapshot_class: a VolumeSnapshotClass of the claim's driver; the default one if not given.
    :param keep: let it outlive whoever deletes the object: its content gets the deletion policy Retain. For versions
        of data that are to stay.
    :param dataset_version: id of the dataset version that it freezes, or a task's result that has one as ``id``; a
        label.
    :param namespace: the connection's own if not given.
    :param wait_limit_s: seconds after which a snapshot that is not ready is withdrawn.
    :param kubernetes_conn_id: connection of type ``kubernetes``.
    :return: ``name``, ``namespace``, ``uid``, ``claim``, ``content``, ``handle``, ``kept``, ``created_at``,
        ``size_bytes``.
    """

    look = "ontap_mlops.kubernetes.snapshots.look"
    cancel = "ontap_mlops.kubernetes.snapshots.withdraw"
    template_fields: Sequence[str] = (
        *_KubernetesWaitingOperator.template_fields,
        "snapshot",
        "claim",
        "snapshot_class",
        "keep",
        "dataset_version",
    )

    def __init__(
        self,
        *,
        snapshot: str,
        claim: Any,
        snapshot_class: str | None = None,
        keep: bool | str = False,
        dataset_version: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.snapshot = snapshot
        self.claim = claim
        self.snapshot_class = snapshot_class
        self.keep = keep
        self.dataset_version = dataset_version

    def begin(self, client: Cluster, context: Context) -> dict[str, Any]:
        from ontap_mlops.kubernetes import snapshots

        where = self.named(client, self.snapshot)
        made = snapshots.ensure(
            client,
            **where,
            claim=name_of(self.claim),
            labels=self.labels(context, self.dataset_version),
            snapshot_class=self.snapshot_class,
        )
        return {**where, "uid": made["metadata"]["uid"], "keep": truth(self.keep), "deadline": self.deadline()}


class KubernetesSnapshotDeleteOperator(_KubernetesWaitingOperator):
    """Delete a snapshot that was made here, and wait until it is gone from storage too.

    :param snapshot: its name, or the result of the task that made it. One that is not there is no error.
    :param even_kept: delete one that was made with ``keep``; without it such a one is refused.
    :param namespace: the connection's own if not given.
    :param wait_limit_s: seconds after which the error says what holds it, such as a clone that stands on it.
    :param kubernetes_conn_id: connection of type ``kubernetes``.
    :return: ``name``, ``namespace``.
    """

    look = "ontap_mlops.kubernetes.snapshots.look_gone"
    template_fields: Sequence[str] = (*_KubernetesWaitingOperator.template_fields, "snapshot", "even_kept")

    def __init__(self, *, snapshot: Any, even_kept: bool | str = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.snapshot = snapshot
        self.even_kept = even_kept

    def begin(self, client: Cluster, context: Context) -> dict[str, Any]:
        from ontap_mlops.kubernetes import snapshots

        where = self.named(client, name_of(self.snapshot))
        return {**snapshots.delete(client, **where, even_kept=truth(self.even_kept)), "deadline": self.deadline()}


class KubernetesSnapshotRestoreOperator(KubernetesClaimEnsureOperator):
    """Make a claim that begins as a snapshot: with Trident a FlexClone. The claim it was taken of stays as it is.

    Nothing is restored in place: whoever uses the old claim is pointed at the new one, and the old one is deleted by
    :class:`KubernetesClaimDeleteOperator` when this has succeeded and no pod mounts it any more.

    :param snapshot: its name, or the result of the task that made it.
    :param claim: name of the new claim.
    :param size_bytes: as large as the snapshot's volume if not given, and never smaller.
    :param storage_class: one of the snapshot's driver; the default one if not given.
    :param access_modes: ``ReadWriteMany`` lets pods on many nodes write.
    :param dataset_version: id of the dataset version it is for, or a task's result that has one as ``id``; a label.
    :param namespace: the connection's own if not given.
    :param wait_limit_s: seconds after which a claim without a volume is withdrawn.
    :param kubernetes_conn_id: connection of type ``kubernetes``.
    :return: as that of :class:`KubernetesClaimEnsureOperator`.
    """

    template_fields: Sequence[str] = (*KubernetesClaimEnsureOperator.template_fields, "snapshot")

    def __init__(self, *, snapshot: Any, size_bytes: int | str | None = None, **kwargs: Any) -> None:
        super().__init__(size_bytes=size_bytes or "", **kwargs)
        self.snapshot = snapshot

    def begin(self, client: Cluster, context: Context) -> dict[str, Any]:
        from ontap_mlops.kubernetes import snapshots
        from ontap_mlops.kubernetes_manifests.storage import Source

        where = self.named(client, name_of(self.snapshot))
        asked = f"make claim {self.claim} of snapshot {where['namespace']}/{where['name']}"
        least = snapshots.restore_size(client, **where, asked=asked)
        size = bytes_of(self.size_bytes) if self.size_bytes else least
        return self._begun(client, context, size, Source(kind=snapshots.KIND, name=where["name"]))
