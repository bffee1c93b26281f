"""Operators that show volumes of ONTAP that were made outside the cluster as claims of a namespace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ontap_mlops.operators.base import bytes_of
from ontap_mlops.operators.kubernetes import _KubernetesWaitingOperator, name_of, truth

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.compute.kinds.kubernetes.fields import Reach
    from ontap_mlops.kubernetes.api import Cluster

_MODES = ("ReadWriteMany",)


class _VolumeOperator(_KubernetesWaitingOperator):
    """Waits until a claim on a volume that is there is bound."""

    look = "ontap_mlops.kubernetes.claims.look"
    cancel = "ontap_mlops.kubernetes.claims.withdraw"


class KubernetesVolumeImportOperator(_VolumeOperator):
    """Make a claim that Trident serves with a volume that is there in ONTAP, such as a FlexClone or a FlexCache.

    Unless ``managed``, the volume stays whose it is: it keeps its name, and outlives the claim.

    :param claim: name of the claim.
    :param volume: name of the volume in ONTAP, or the result of the task that made it (``volume`` or ``name``).
    :param backend: name or UUID of Trident's back end on the volume's SVM.
    :param storage_class: a class of Trident's.
    :param size_bytes: what the claim asks for: no more than the volume has.
    :param managed: hand the volume over to Trident, which renames it and deletes it with its claim.
    :param keep_name: with ``managed``, let the volume keep its name.
    :param access_modes: ``ReadWriteMany`` lets pods on many nodes write.
    :param dataset_version: id of the dataset version it is for, or a task's result that has one as ``id``; a label.
    :param namespace: the connection's own if not given.
    :param wait_limit_s: seconds after which a claim without a volume is withdrawn.
    :param kubernetes_conn_id: connection of type ``kubernetes``.
    :return: as that of :class:`KubernetesClaimEnsureOperator`.
    """

    template_fields: Sequence[str] = (
        *_VolumeOperator.template_fields,
        "claim",
        "volume",
        "backend",
        "storage_class",
        "size_bytes",
        "dataset_version",
    )

    def __init__(
        self,
        *,
        claim: str,
        volume: Any,
        backend: str,
        storage_class: str,
        size_bytes: int | str = 1024**3,
        managed: bool = False,
        keep_name: bool = False,
        access_modes: Sequence[str] = _MODES,
        dataset_version: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.claim = claim
        self.volume = volume
        self.backend = backend
        self.storage_class = storage_class
        self.size_bytes = size_bytes
        self.managed = managed
        self.keep_name = keep_name
        self.access_modes = access_modes
        self.dataset_version = dataset_version

    def begin(self, client: Cluster, context: Context) -> dict[str, Any]:
        from ontap_mlops.kubernetes import volumes

        where = self.named(client, self.claim)
        made = volumes.import_volume(
            client,
            **where,
            volume=_volume_of(self.volume),
            backend=self.backend,
            storage_class=self.storage_class,
            size_bytes=bytes_of(self.size_bytes),
            labels=self.labels(context, self.dataset_version),
            managed=truth(self.managed),
            keep_name=truth(self.keep_name),
            access_modes=self.access_modes,
        )
        return {**where, "uid": made["metadata"]["uid"], "deadline": self.deadline()}


class KubernetesVolumeMountOperator(_VolumeOperator):
    """Make a claim on a volume that is there in ONTAP without Trident: nodes mount its junction path over NFS.

    For volumes that Trident does not know, such as FlexCaches and FlexClones that ONTAP operators made. The data
    outlives the claim.

    :param claim: name of the claim, or a task's result that has one as ``name``.
    :param junction_path: where the volume is mounted in its SVM, or the result of the task that made it
        (``junction_path``, and ``svm`` for a place).
    :param place: of kind kubernetes, by its name in compute.yaml: its connection and namespace and, where neither
        server nor folder is given, how its ``namespaces`` reach the SVM: by Trident, then ``junction_path`` is the
        result of a task that names the ``volume`` too.
    :param server: address of a data interface of the SVM.
    :param folder: in place of ``server``, where each node has the SVM's namespace mounted.
    :param size_bytes: what claim and volume show; the volume's own size and quotas count.
    :param mount_options: such as ``nfsvers=4.1`` or ``nconnect=8``.
    :param access_modes: ``ReadOnlyMany`` or ``ReadWriteMany``.
    :param dataset_version: id of the dataset version it is for, or a task's result that has one as ``id``; a label.
    :param namespace: the connection's own if not given.
    :param wait_limit_s: seconds after which a claim that is not bound is withdrawn.
    :param kubernetes_conn_id: connection of type ``kubernetes``.
    :return: as that of :class:`KubernetesClaimEnsureOperator`.
    """

    template_fields: Sequence[str] = (
        *_VolumeOperator.template_fields,
        "claim",
        "junction_path",
        "server",
        "folder",
        "size_bytes",
        "dataset_version",
    )

    def __init__(
        self,
        *,
        claim: Any,
        junction_path: Any,
        server: str | None = None,
        folder: str | None = None,
        size_bytes: int | str = 1024**3,
        mount_options: Sequence[str] = (),
        access_modes: Sequence[str] = _MODES,
        dataset_version: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.claim = claim
        self.junction_path = junction_path
        self.server = server
        self.folder = folder
        self.size_bytes = size_bytes
        self.mount_options = mount_options
        self.access_modes = access_modes
        self.dataset_version = dataset_version

    def begin(self, client: Cluster, context: Context) -> dict[str, Any]:
        from ontap_mlops.kubernetes import volumes

        where: dict[str, Any] = {**self.named(client, name_of(self.claim))}
        reach = self._reach()
        facts: dict[str, Any] = {
            "size_bytes": bytes_of(self.size_bytes),
            "labels": self.labels(context, self.dataset_version),
            "access_modes": self.access_modes,
        }
        if reach.trident:
            served: dict[str, Any] = {"backend": reach.trident, "storage_class": reach.storage_class}
            made = volumes.import_volume(client, **where, volume=_volume_of(self.junction_path), **served, **facts)
        else:
            options = self.mount_options or reach.mount_options
            made = volumes.ensure_static(client, **where, source=self._source(reach), mount_options=options, **facts)
        return {**where, "uid": made["metadata"]["uid"], "deadline": self.deadline()}

    def _reach(self) -> Reach:
        """How nodes come to the volume: as the arguments say, or else as the place does."""
        from ontap_mlops.compute.kinds.kubernetes.fields import Reach

        claim = name_of(self.claim)
        if bool(self.server) != bool(self.folder):
            return Reach(nfs=self.server or "", host_path=self.folder or "")
        if self.server or self.fields is None:
            raise ValueError(f"claim {claim}: give either server (an NFS address), folder (on each node) or a place")
        svm = self.junction_path["svm"] if isinstance(self.junction_path, Mapping) else "default"
        known = self.fields.namespaces
        if (found := known.get(svm) or known.get("default")) is None:
            raise ValueError(f"claim {claim}: place {self.place!r} reaches no volumes of SVM {svm!r} (its namespaces)")
        return found

    def _source(self, reach: Reach) -> dict[str, Any]:
        from ontap_mlops.kubernetes_manifests import mounts

        path = name_of(self.junction_path, "junction_path")
        if not path.startswith("/"):
            raise ValueError(f"claim {name_of(self.claim)}: junction_path is {path!r}; it begins with /, as in ONTAP")
        if reach.nfs:
            return mounts.nfs(reach.nfs, path, read_only="ReadOnlyMany" in self.access_modes)
        return mounts.host_path(f"{reach.host_path.rstrip('/')}{path}")


def _volume_of(given: Any) -> str:
    if isinstance(given, Mapping):
        return str(given.get("volume") or given["name"])
    return str(given).strip("/")
