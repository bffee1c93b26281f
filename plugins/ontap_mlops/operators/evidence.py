"""Operators that keep what a promoted model was made of from being removed by anybody before a date."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from ontap_mlops.operators.base import OntapOperator
from ontap_mlops.operators.context import REGISTER, needed
from ontap_mlops.operators.links import MlflowModelLink
from ontap_mlops.records import Evidence, ModelVersion

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.ontap.client import Client

DATASET, MODEL, RESULTS = "dataset", "model", "results"


class EvidenceLockOperator(OntapOperator):
    """Lock the snapshots of data and model of a registered version, and keep with it in MLflow what is locked.

    The lock ends ``days`` after the model's snapshot was made, by ONTAP's clock, so a retry asks for the same end. A
    snapshot that is locked longer stays so. Snapshot locking is switched on where it is off, which cannot be taken back
    while locks live; the compliance clock, which it needs, is never set here.

    What MLflow knows of the run lies in the model's snapshot where ``tasks.models.publish`` had ``--evidence``.

    :param days: whole days, at least 1.
    :param version: task id that gave the version.
    :param mlflow_conn_id: the registry.
    :return: the Evidence, as JSON.
    """

    template_fields: Sequence[str] = ("days",)
    operator_extra_links = (MlflowModelLink(),)

    def __init__(
        self, *, days: int | str, version: str = REGISTER, mlflow_conn_id: str = "mlflow_default", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.days = days
        self.version = version
        self.mlflow_conn_id = mlflow_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.hooks.mlflow import MlflowHook

        version = ModelVersion.from_json(needed(context, self.version))
        if int(self.days) < 1:
            raise ValueError(f"the evidence of {version.model} was to be locked for {self.days} days; give at least 1")
        until = (datetime.fromisoformat(version.created_at) + timedelta(days=int(self.days))).isoformat()
        data = version.dataset_version
        with self.hook.client() as client:
            locked = [
                lock(client, DATASET, data.svm, data.volume, data.snapshot, data.snapshot_uuid, until),
                lock(client, MODEL, version.svm, version.volume, version.snapshot, version.snapshot_uuid, until),
            ]
        evidence = Evidence(
            model=version.model, version=version.version, run_key=version.run_key, until=until, locked=locked
        )
        MlflowHook(self.mlflow_conn_id).note_evidence(version, evidence)
        for each in locked:
            self.log.info("%s %s:%s is locked until %s", each["what"], each["volume"], each["snapshot"], each["until"])
        MlflowModelLink.persist(context, self.mlflow_conn_id, version)
        return evidence.to_json()


def lock(client: Client, what: str, svm: str, volume: str, snapshot: str, uuid: str, until: str) -> dict[str, str]:
    """Lock one snapshot and return it as an entry of :class:`Evidence`.

    Raises AirflowFailException, before anything is locked, for another snapshot of the same name.
    """
    from ontap_mlops.ontap import snapshot_locks, snapshots, volumes

    there = snapshots.get(client, volume_uuid=volumes.get(client, svm=svm, name=volume).uuid, name=snapshot)
    if there.uuid != uuid:
        raise AirflowFailException(
            f"Snapshot {snapshot!r} of volume {svm}:{volume} is not the {what} that was recorded ({there.uuid} and not "
            f"{uuid}), so it is not locked. Somebody has made another of its name: find out who, and train again."
        )
    snapshot_locks.enable(client, svm=svm, volume=volume)
    end = datetime.fromisoformat(until)
    found = snapshot_locks.lock(client, svm=svm, volume=volume, snapshot=snapshot, until=end)
    return {
        "what": what,
        "svm": svm,
        "volume": volume,
        "snapshot": snapshot,
        "snapshot_uuid": uuid,
        "until": str(found.locked_until),
    }


def lock_results(client: Client, evidence: Evidence, *, svm: str, volume: str, snapshot: str, uuid: str) -> Evidence:
    """Lock a snapshot of results as long as the rest of the evidence, and return the evidence with it."""
    entry = lock(client, RESULTS, svm, volume, snapshot, uuid, evidence.until)
    others = [each for each in evidence.locked if each["snapshot_uuid"] != uuid]
    return replace(evidence, locked=[*others, entry])
