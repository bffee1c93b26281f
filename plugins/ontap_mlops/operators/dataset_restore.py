"""Operators that put a dataset back to one of its versions: first what that means, then doing it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ontap_mlops import assets, registry
from ontap_mlops.operators.base import OntapOperator
from ontap_mlops.operators.context import run_key
from ontap_mlops.records import DatasetVersion

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.ontap.client import Client

RESTORED = "datasets_restored"
"""Asset alias by which a restore tells the asset of the dataset that it was given."""


class DatasetRestorePlanOperator(OntapOperator):
    """Say what putting a dataset back to a version means: which files come, change and go, and what would be lost.

    With a safety snapshot nothing is lost. Without it, ONTAP drops every newer snapshot: refuses then when a registered
    model was trained on a version that would go, naming both. Changes nothing.

    :param dataset: name in datasets.yaml, or a dataset by value.
    :param version: id of the version (``v...``). Give this or ``as_of``.
    :param as_of: ISO 8601; the version that was current then.
    :param safety: whether the restore is to keep how the data is now, and every snapshot.
    :param plan_only: say it, and skip the rest of the run.
    :param mlflow_conn_id: registry whose models protect the versions they stand on.
    :return: ``dataset_version`` as JSON, ``difference`` in files, ``lost_versions`` (ids) and ``lost_snapshots``
        (names), ``safety``.
    """

    template_fields: Sequence[str] = ("dataset", "version", "as_of", "safety", "plan_only", "mlflow_conn_id")

    def __init__(
        self,
        *,
        dataset: str | registry.Dataset | Mapping[str, Any],
        version: str | None = None,
        as_of: str | None = None,
        safety: bool | str = True,
        plan_only: bool | str = False,
        mlflow_conn_id: str = "mlflow_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.dataset = registry.as_argument(dataset)
        self.version = version
        self.as_of = as_of
        self.safety = safety
        self.plan_only = plan_only
        self.mlflow_conn_id = mlflow_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import differences, restoring

        dataset = registry.as_dataset(self.dataset)
        self.ontap_conn_id = dataset.ontap_conn_id
        with self.hook.client() as client:
            versions = self._versions(client, dataset)
            wanted = self._wanted(dataset, versions)
            home = {"volume_uuid": wanted.volume_uuid}
            found = differences.between(client, **home, before=None, after=wanted.snapshot)
            newer = [] if _yes(self.safety) else restoring.newer_than(client, **home, snapshot=wanted.snapshot)
        lost = [v for v in versions if v.snapshot_uuid in [snapshot.uuid for snapshot in newer]]
        self._say(dataset, wanted, str(found), len(newer), lost)
        self._spare_models(dataset, wanted, lost)
        if _yes(self.plan_only):
            self.skip_because(context, f"A dry run: {dataset.name} would be put back to version {wanted.id} ({found}).")
        return {
            "dataset_version": wanted.to_json(),
            "difference": found.counts,
            "lost_versions": [version.id for version in lost],
            "lost_snapshots": [snapshot.name for snapshot in newer],
            "safety": _yes(self.safety),
        }

    def _versions(self, client: Client, dataset: registry.Dataset) -> list[DatasetVersion]:
        from ontap_mlops.ontap import dataset_versions

        svm = self.hook.svm(dataset.svm)
        return dataset_versions.list_versions(client, svm=svm, volume=dataset.volume, dataset=dataset.name)

    def _wanted(self, dataset: registry.Dataset, versions: list[DatasetVersion]) -> DatasetVersion:
        from ontap_mlops.ontap import dataset_versions

        if bool(self.version) == bool(self.as_of):
            raise ValueError(f"to what {dataset.name} is to be put back is not clear; give a version or a date")
        if self.version:
            found = next((version for version in versions if version.id == self.version), None)
        else:
            found = dataset_versions.current_at(versions, _moment(str(self.as_of)))
        if found is None:
            known = ", ".join(version.id for version in versions[-5:]) or "none"
            asked = f"version {self.version}" if self.version else f"version as of {self.as_of}"
            raise ValueError(f"{dataset.name} has no {asked}; its newest versions are: {known}")
        return found

    def _say(
        self, dataset: registry.Dataset, wanted: DatasetVersion, found: str, newer: int, lost: list[DatasetVersion]
    ) -> None:
        self.log.info("%s back to version %s of %s: %s", dataset.name, wanted.id, wanted.created_at, found)
        if _yes(self.safety):
            self.log.info("Nothing is lost: how it is now stays as a snapshot, and so do all versions")
            return
        self.log.warning("%s newer snapshots would be lost, and what was written since", newer)
        for version in lost:
            self.log.warning("Version %s of %s would be lost", version.id, version.created_at)

    def _spare_models(self, dataset: registry.Dataset, wanted: DatasetVersion, lost: list[DatasetVersion]) -> None:
        if not lost:
            return
        from ontap_mlops.hooks.mlflow import MlflowHook

        uuids = {version.snapshot_uuid: version.id for version in lost}
        for model in MlflowHook(self.mlflow_conn_id).model_versions():
            if model.dataset_version.snapshot_uuid in uuids:
                raise ValueError(
                    f"{dataset.name} was not put back to version {wanted.id}: version "
                    f"{uuids[model.dataset_version.snapshot_uuid]}, which would be lost, is what model {model.model} "
                    f"{model.version} was trained on; restore with a safety snapshot, which keeps every version"
                )


class DatasetRestoreOperator(OntapOperator):
    """Put a dataset's live files back as planned. The asset of the dataset then has an event with that version.

    Give it ``outlets=[AssetAlias(RESTORED)]``. Fails, with nothing changed, when a snapshot came since the plan that it
    would drop.

    :param plan: what ``DatasetRestorePlanOperator`` returned.
    :return: ``dataset_version`` as JSON; ``safety``, the snapshot of how the data was before, which
        ``OntapSnapshotRestoreOperator`` goes back to; ``difference``.
    """

    template_fields: Sequence[str] = ("plan",)

    def __init__(self, *, plan: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.plan = plan

    def execute(self, context: Context) -> dict[str, Any]:
        version = DatasetVersion.from_json(self.plan["dataset_version"])
        dataset = registry.find(version.dataset)
        if dataset is not None:
            self.ontap_conn_id = dataset.ontap_conn_id
        with self.hook.client() as client:
            safety = self._restored(client, version, run_key(context))
        self.log.info("%s is as in version %s", version.dataset, version.id)
        if safety:
            self.log.info("As it was before, it is in snapshot %s of volume %s", safety, version.volume)
        for outlet in self.outlets:
            asset = assets.dataset_asset(version.dataset)
            context["outlet_events"][outlet].add(asset, extra={"dataset_version": version.to_json()})
        return {"dataset_version": version.to_json(), "safety": safety, "difference": self.plan["difference"]}

    def _restored(self, client: Client, version: DatasetVersion, owner: str) -> str | None:
        from ontap_mlops.ontap import restoring

        home = {"volume_uuid": version.volume_uuid, "volume": version.volume}
        if self.plan["safety"]:
            return restoring.to_snapshot(client, **home, snapshot=version.snapshot, owner=owner).safety
        newer = restoring.newer_than(client, volume_uuid=version.volume_uuid, snapshot=version.snapshot)
        if unplanned := {snapshot.name for snapshot in newer} - set(self.plan["lost_snapshots"]):
            raise ValueError(
                f"{version.dataset} was not put back to version {version.id}: since the plan was made, "
                f"{', '.join(sorted(unplanned))} came, which would be lost; run the DAG again"
            )
        restoring.in_one_step(client, **home, snapshot=version.snapshot, owner=owner, discard_newer=True)
        return None


def _yes(value: bool | str) -> bool:
    """A Param that a template has turned into text."""
    return value if isinstance(value, bool) else value.strip().lower() == "true"


def _moment(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no date or time; give one such as 2027-01-31T12:00:00Z") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
