"""Operator on FlexGroup volumes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ontap_mlops.operators.volumes import VolumeEnsure, facts_of

if TYPE_CHECKING:
    from airflow.sdk import Context


class OntapFlexGroupEnsureOperator(VolumeEnsure):
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

    template_fields: Sequence[str] = (*VolumeEnsure.template_fields, "aggregates")

    def __init__(self, *, aggregates: list[str] | None = None, per_aggregate: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.aggregates = aggregates
        self.per_aggregate = per_aggregate

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import flexgroups

        with self.hook.client() as client:
            volume = flexgroups.ensure(
                client, aggregates=self.aggregates, per_aggregate=self.per_aggregate, **self.wanted()
            )
            parts = flexgroups.constituents(client, volume=volume)
        self.log.info("FlexGroup volume %s of SVM %s: %s constituents", volume.name, volume.svm, len(parts))
        return facts_of(volume) | {"constituents": len(parts)}
