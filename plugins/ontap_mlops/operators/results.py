"""Operators on what runs leave beside their models, such as scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ontap_mlops import names
from ontap_mlops.operators.base import OntapOperator
from ontap_mlops.operators.context import EVIDENCE, REGISTER, needed, result_of, run_record
from ontap_mlops.records import Evidence, ModelVersion

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.ontap.client import Client
    from ontap_mlops.ontap.snapshots import Snapshot


class ResultsFreezeOperator(OntapOperator):
    """Freeze what the run has written: a snapshot of the results volume, named after the run.

    A retry finds the snapshot of its first try. Where the run has locked the evidence of its model, this snapshot is
    locked as long.

    :param volume: name of the results volume.
    :param what: kind of the results, for the snapshot's comment, such as ``scores``.
    :param svm: the connection's own if not given.
    :param mlflow_conn_id: the registry that keeps what is locked for a model.
    :return: ``uuid``, ``name``, ``volume_uuid``, ``created_at`` (ISO 8601, by ONTAP's clock), ``comment``.
    """

    template_fields: Sequence[str] = (*OntapOperator.template_fields, "volume", "svm")

    def __init__(
        self,
        *,
        volume: str,
        what: str = "results",
        svm: str | None = None,
        mlflow_conn_id: str = "mlflow_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.mlflow_conn_id = mlflow_conn_id
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
            if promised := result_of(context, EVIDENCE):
                self._lock(client, context, Evidence.from_json(promised), made)
        self.log.info("Snapshot %s of volume %s, made %s", made.name, self.volume, made.created_at)
        return {
            "uuid": made.uuid,
            "name": made.name,
            "volume_uuid": made.volume_uuid,
            "created_at": made.created_at,
            "comment": made.comment,
        }

    def _lock(self, client: Client, context: Context, promised: Evidence, made: Snapshot) -> None:
        from ontap_mlops.hooks.mlflow import MlflowHook
        from ontap_mlops.operators.evidence import lock_results

        registry, version = MlflowHook(self.mlflow_conn_id), ModelVersion.from_json(needed(context, REGISTER))
        facts = {"volume": self.volume, "snapshot": made.name, "uuid": made.uuid}
        whole = registry.evidence(version) or promised
        registry.note_evidence(version, lock_results(client, whole, svm=self.hook.svm(self.svm), **facts))
        self.log.info("It is locked with the evidence of version %s until %s", version.version, promised.until)
