"""Operator on FlexGroup volumes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ontap_mlops.operators.base import OntapOperator, bytes_of

if TYPE_CHECKING:
    from airflow.sdk import Context


class OntapFlexGroupEnsureOperator(OntapOperator):
    """Ensure that a FlexGroup volume exists: one namespace over several aggregates, for more than one of them holds.

    A volume that is there with the same comment is taken as it is and grown if it is smaller; one with another comment,
    or that is no FlexGroup volume, fails the task at once. It is removed by ``OntapVolumeDeleteOperator``.

    :param volume: name, letters, digits and underscores.
    :param size_bytes: of all constituents together; never shrunk.
    :param comment: marks the volume as ours; begin it with ``ontap-mlops``.
    :param aggregates: names; ONTAP chooses if not given.
    :param per_aggregate: constituents on each aggregate.
    :param junction_path: where the SVM's clients see it.
    :param svm: the connection's own if not given.
    :param unix_permissions: of the volume's root when made. The default lets S3 and NFS users write.
    :param export_policy: the SVM's default if not given.
    :return: ``uuid``, ``name``, ``svm``, ``size_bytes``, ``junction_path``, ``constituents`` (how many).
    """

    template_fields: Sequence[str] = (
        "volume",
        "size_bytes",
        "comment",
        "aggregates",
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
        aggregates: list[str] | None = None,
        per_aggregate: int | None = None,
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
        self.aggregates = aggregates
        self.per_aggregate = per_aggregate
        self.junction_path = junction_path
        self.svm = svm
        self.unix_permissions = unix_permissions
        self.export_policy = export_policy

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import flexgroups

        with self.hook.client() as client:
            volume = flexgroups.ensure(
                client,
                svm=self.hook.svm(self.svm),
                name=self.volume,
                size_bytes=bytes_of(self.size_bytes),
                comment=self.comment,
                aggregates=self.aggregates,
                per_aggregate=self.per_aggregate,
                junction_path=self.junction_path,
                unix_permissions=self.unix_permissions,
                export_policy=self.export_policy,
            )
            parts = flexgroups.constituents(client, volume=volume)
        self.log.info("FlexGroup volume %s of SVM %s: %s constituents", volume.name, volume.svm, len(parts))
        return {
            "uuid": volume.uuid,
            "name": volume.name,
            "svm": volume.svm,
            "size_bytes": volume.size_bytes,
            "junction_path": volume.junction_path,
            "constituents": len(parts),
        }
