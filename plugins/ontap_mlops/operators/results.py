"""Operators on what runs leave beside their models, such as scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ontap_mlops import names
from ontap_mlops.operators.base import OntapOperator
from ontap_mlops.operators.context import run_record

if TYPE_CHECKING:
    from airflow.sdk import Context


class ResultsFreezeOperator(OntapOperator):
    """Freeze what the run has written: a snapshot of the results volume, named after the run.

    A retry finds the snapshot of its first try.

    :param volume: name of the results volume.
    :param what: kind of the results, for the snapshot's comment, such as ``scores``.
    :param svm: the connection's own if not given.
    :return: ``uuid``, ``name``, ``volume_uuid``, ``created_at`` (ISO 8601, by ONTAP's clock), ``comment``.
    """

    template_fields: Sequence[str] = (*OntapOperator.template_fields, "volume", "svm")

    def __init__(self, *, volume: str, what: str = "results", svm: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.volume = volume
        self.what = what
        self.svm = svm

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import marks, snapshots, volumes

        run = run_record(context)
        comment = marks.mark(f"{self.what} of {run.run_key} on {run.dataset_version.id}")
        with self.hook.client() as client:
            volume = volumes.get(client, svm=self.hook.svm(self.svm), name=self.volume)
            made = snapshots.ensure(client, volume_uuid=volume.uuid, name=names.snapshot(run.run_key), comment=comment)
        self.log.info("Snapshot %s of volume %s, made %s", made.name, self.volume, made.created_at)
        return {
            "uuid": made.uuid,
            "name": made.name,
            "volume_uuid": made.volume_uuid,
            "created_at": made.created_at,
            "comment": made.comment,
        }
