"""Retention of model versions: those that neither serve, nor can be returned to, nor are kept, go."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ontap_mlops import names
from ontap_mlops.operators.base import OntapOperator
from ontap_mlops.operators.context import needed, run_key
from ontap_mlops.operators.program import ProgramOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.compute.workload import Workload
    from ontap_mlops.hooks.mlflow import MlflowHook
    from ontap_mlops.ontap.client import Client
    from ontap_mlops.ontap.leases import Lease
    from ontap_mlops.ontap.snapshots import Snapshot
    from ontap_mlops.ontap.volumes import Volume
    from ontap_mlops.records import ModelVersion

# Tag that a person gives a version in MLflow, with any value but "false", to keep it for good.
KEEP_TAG = "keep"
# Folders of versions that went long ago have been removed many times over.
_FOLDERS_AT_ONCE = 100
# At the top of the volume, and nothing else.
_FOLDER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


class ModelVersionExpireOperator(OntapOperator):
    """Retire old model versions: remove their snapshots of the model volume, and name the folders to remove.

    The champion stays, the version it replaced, the newest ``keep_newest``, one that is being deployed, and one with
    the tag ``keep`` in MLflow. A retired version stays in MLflow, with all that is known of its origin, under the tag
    ``retired``; it cannot be deployed any more, and no longer protects the dataset version it was trained on. Nothing
    is removed while another run holds the claim on the model, and when MLflow's answer is not clear.

    A folder is removed by a program that sees the volume; it is named again at the next time, so that one which a
    killed program left goes too.

    :param model: name in the registry.
    :param keep_newest: how many of the newest stay, at least 1.
    :param volume: the model volume; the model's own if not given.
    :param svm: the connection's own if not given.
    :param mlflow_conn_id: the registry.
    :return: ``removed`` (numbers), ``kept`` (number to reason, for old ones only), ``folders`` (names at the top of the
        volume), ``svm``, ``volume``.
    """

    template_fields: Sequence[str] = ("model", "keep_newest", "volume", "svm")

    def __init__(
        self,
        *,
        model: str,
        keep_newest: int | str = 10,
        volume: str | None = None,
        svm: str | None = None,
        mlflow_conn_id: str = "mlflow_default",
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("trigger_rule", "none_failed")
        super().__init__(**kwargs)
        self.model = model
        self.keep_newest = keep_newest
        self.volume = volume
        self.svm = svm
        self.mlflow_conn_id = mlflow_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import volumes

        if int(self.keep_newest) < 1:
            raise ValueError(f"retention of model {self.model!r} keeps {self.keep_newest} versions; keep at least 1")
        svm, name = self.hook.svm(self.svm), self.volume or names.model_volume(self.model)
        with self.hook.client() as client:
            volume = volumes.find(client, svm=svm, name=name)
            result = self._expire(client, volume, run_key(context)) if volume else _nothing()
        for number, reason in result["kept"].items():
            self.log.info("Version %s of %s stays although it is old: %s", number, self.model, reason)
        self.log.info("%s versions of model %s removed", len(result["removed"]), self.model)
        return {**result, "svm": svm, "volume": name}

    def _expire(self, client: Client, volume: Volume, key: str) -> dict[str, Any]:
        from ontap_mlops.hooks.mlflow import MlflowHook
        from ontap_mlops.ontap import snapshots

        if (claim := claimed(client, volume, self.model, key)) is not None:
            self.log.warning("Nothing is removed while another run may deploy: %s", claim)
            return _nothing()
        mlflow = MlflowHook(self.mlflow_conn_id)
        there = snapshots.list_snapshots(client, volume_uuid=volume.uuid)
        found = judged(mlflow, self.model, volume, there, keep_newest=int(self.keep_newest))
        reasons: dict[int, str | None] = {}
        for one in found:
            if one.reason == NEWEST:
                continue
            reason = one.reason or remove(client, mlflow, one)
            if one.snapshot or reason:
                reasons[one.version.version] = reason
        gone = [one.version for one in found if one.reason is None and not reasons.get(one.version.version)]
        return {
            "removed": [number for number, reason in reasons.items() if reason is None],
            "kept": {str(number): reason for number, reason in reasons.items() if reason is not None},
            "folders": _folders(gone, [one.version for one in found if one.version not in gone]),
        }


class Judged(NamedTuple):
    """``reason`` says why the version stays, as far as others than ONTAP know; ``snapshot`` is None when it is gone."""

    version: ModelVersion
    retired: bool
    snapshot: Snapshot | None
    reason: str | None


def claimed(client: Client, volume: Volume, model: str, key: str) -> Lease | None:
    """The claim on the model if another run than ``key`` has it: that run may deploy any version."""
    from ontap_mlops.ontap import leases

    lease = leases.read(client, volume_uuid=volume.uuid, name=names.lease(model))
    return lease if lease is not None and lease.owner != key else None


def judged(
    mlflow: MlflowHook, model: str, volume: Volume, there: Sequence[Snapshot], *, keep_newest: int
) -> list[Judged]:
    """Return every version of the model on the volume, the oldest first, with what keeps it.

    :param there: snapshots of the volume.
    """
    from ontap_mlops.hooks.mlflow import RETIRED_TAG

    here = [
        (version, tags)
        for version, tags in mlflow.versions_with_tags(model)
        if (version.svm, version.volume) == (volume.svm, volume.name)
    ]
    needed, by_uuid = _needed(mlflow, model, here, keep_newest), {snapshot.uuid: snapshot for snapshot in there}
    found = [
        Judged(version, RETIRED_TAG in tags, by_uuid.get(version.snapshot_uuid), needed.get(version.version))
        for version, tags in here
    ]
    return sorted(found, key=lambda one: one.version.version)


def remove(client: Client, mlflow: MlflowHook, one: Judged) -> str | None:
    """Retire the version and remove its snapshot, or say why that stays. Its folder is removed by a program.

    A version whose snapshot is locked is not retired.
    """
    if one.snapshot and one.snapshot.locked_until and (reason := _locked(client, one.snapshot)):
        return reason
    if not one.retired:
        mlflow.retire(one.version)
    return _removed(client, one.version, one.snapshot) if one.snapshot else None


def _needed(
    mlflow: MlflowHook, model: str, here: Sequence[tuple[ModelVersion, Mapping[str, str]]], keep_newest: int
) -> dict[int, str]:
    """Number to the reason why the version stays."""
    from ontap_mlops.hooks.mlflow import RETIRED_TAG, SERVING_TAG

    needed: dict[int, str] = {}
    for version, tags in here:
        if tags.get(KEEP_TAG, "false").strip().lower() != "false":
            needed[version.version] = f"it has the tag {KEEP_TAG} in MLflow"
        elif json.loads(tags.get(SERVING_TAG) or "{}").get("state") == "loading":
            needed[version.version] = "it is being deployed, or its deployment broke off"
    champion = mlflow.champion(model)
    if champion is not None:
        deployment = mlflow.deployment(champion)
        if deployment is not None and deployment.previous_version:
            needed[deployment.previous_version] = f"it is what champion {champion.version} replaced"
        needed[champion.version] = "it is the champion"
    living = sorted(version.version for version, tags in here if RETIRED_TAG not in tags)
    return {**needed, **dict.fromkeys(living[-keep_newest:], NEWEST)}


class ModelFoldersRemoveOperator(ProgramOperator):
    """Remove the folders that a :class:`ModelVersionExpireOperator` has named, by ``tasks.models.retire``.

    Skips, without starting a program, where there are none.

    :param expired: task id of the step that named them.
    """

    def __init__(self, *, expired: str, **kwargs: Any) -> None:
        super().__init__(program="tasks.models.retire", mlflow_conn_id=None, buttons=(), **kwargs)
        self.expired = expired

    def workload(self, context: Context) -> Workload:
        folders = needed(context, self.expired)["folders"]
        if not folders:
            self.skip_because(context, "No version has been retired, so no folder goes.", note=False)
        self.flags = {"folders": ",".join(folders)}
        return super().workload(context)


NEWEST = "it is among the newest"


def _nothing() -> dict[str, Any]:
    return {"removed": [], "kept": {}, "folders": []}


def _removed(client: Client, version: ModelVersion, snapshot: Snapshot) -> str | None:
    """Remove the snapshot, or say why it stays."""
    from ontap_mlops.ontap import model_versions, snapshots
    from ontap_mlops.ontap.errors import Busy

    if snapshot.comment != model_versions.comment(version.model, version.run_key):
        return f"its snapshot {snapshot.name} has the comment {snapshot.comment!r}, not that of this version"
    try:
        snapshots.delete(client, volume_uuid=snapshot.volume_uuid, name=snapshot.name)
    except Busy as busy:
        return str(busy)
    return None


def _locked(client: Client, snapshot: Snapshot) -> str | None:
    from ontap_mlops.ontap import cluster

    return snapshot.locked(cluster.now(client))


def _folders(gone: list[ModelVersion], stay: list[ModelVersion]) -> list[str]:
    """Names of folders at the top of the volume; a folder that another version has too stays."""
    shared = {version.folder for version in stay}
    newest_first = sorted(gone, key=lambda version: -version.version)
    folders = [version.folder for version in newest_first if version.folder not in shared]
    return [folder for folder in folders if _FOLDER.fullmatch(folder)][:_FOLDERS_AT_ONCE]
