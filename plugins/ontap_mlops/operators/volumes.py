"""Operators on volumes: make sure that one exists, remove one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ontap_mlops.operators.base import OntapOperator, bytes_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.ontap.volumes import Volume


class VolumeEnsure(OntapOperator):
    """What is said of a volume of any kind that is to exist; the operators on either kind say what it means."""

    template_fields: Sequence[str] = (
        "volume",
        "size_bytes",
        "comment",
        "junction_path",
        "svm",
        "unix_permissions",
        "export_policy",
    )

    def __init__(
        self,
        *,
        volume: str,
        size_bytes: int | str,
        comment: str,
        junction_path: str | None = None,
        svm: str | None = None,
        unix_permissions: str = "777",
        export_policy: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.volume = volume
        self.size_bytes = size_bytes
        self.comment = comment
        self.junction_path = junction_path
        self.svm = svm
        self.unix_permissions = unix_permissions
        self.export_policy = export_policy

    def wanted(self) -> dict[str, Any]:
        """As ``volumes.ensure`` and ``flexgroups.ensure`` take it."""
        return {
            "svm": self.hook.svm(self.svm),
            "name": self.volume,
            "size_bytes": bytes_of(self.size_bytes),
            "comment": self.comment,
            "junction_path": self.junction_path,
            "unix_permissions": self.unix_permissions,
            "export_policy": self.export_policy,
        }


class OntapVolumeEnsureOperator(VolumeEnsure):
    """Ensure that a volume of this name and at least this size exists, mounted in the SVM's namespace.

    A volume that is there with the same comment is taken as it is and grown if it is smaller; one with another comment
    is somebody else's and fails the task at once.

    :param volume: name, letters, digits and underscores.
    :param size_bytes: never shrunk.
    :param comment: marks the volume as ours; begin it with ``ontap-mlops``.
    :param junction_path: where the SVM's clients see it, such as ``/tyre_images``.
    :param svm: the connection's own if not given.
    :param unix_permissions: of the volume's root when made. The default lets S3 and NFS users write.
    :param aggregate: the one with the most free space if not given.
    :param export_policy: the SVM's default if not given.
    :return: ``uuid``, ``name``, ``svm``, ``size_bytes``, ``junction_path``.
    """

    template_fields: Sequence[str] = (*VolumeEnsure.template_fields, "aggregate")

    def __init__(self, *, aggregate: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.aggregate = aggregate

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import volumes

        with self.hook.client() as client:
            volume = volumes.ensure(client, aggregate=self.aggregate, **self.wanted())
        self.log.info("Volume %s of SVM %s: %s bytes at %s", volume.name, volume.svm, *_place(volume))
        return facts_of(volume)


class OntapVolumeDeleteOperator(OntapOperator):
    """Remove a volume that carries our mark. One that does not exist is no error.

    :param volume: name.
    :param svm: the connection's own if not given.
    :param comment: if given, only a volume with exactly this comment is removed.
    :param not_ours_too: remove it even without our mark in its comment.
    :return: whether there was one.
    """

    template_fields: Sequence[str] = ("volume", "svm", "comment")

    def __init__(
        self,
        *,
        volume: str,
        svm: str | None = None,
        comment: str | None = None,
        not_ours_too: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.volume = volume
        self.svm = svm
        self.comment = comment
        self.not_ours_too = not_ours_too

    def execute(self, context: Context) -> bool:
        from ontap_mlops.ontap import volumes

        svm = self.hook.svm(self.svm)
        with self.hook.client() as client:
            removed = volumes.delete(
                client, svm=svm, name=self.volume, comment=self.comment, not_ours_too=self.not_ours_too
            )
        self.log.info("Volume %s of SVM %s %s", self.volume, svm, "removed" if removed else "was gone already")
        return removed


def facts_of(volume: Volume) -> dict[str, Any]:
    """Return what operators that ensure a volume return of it."""
    return {
        "uuid": volume.uuid,
        "name": volume.name,
        "svm": volume.svm,
        "size_bytes": volume.size_bytes,
        "junction_path": volume.junction_path,
    }


def _place(volume: Any) -> tuple[int | None, str]:
    return volume.size_bytes, volume.junction_path or "no path"
