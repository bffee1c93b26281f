"""Operators on dataset versions: make one of what a volume holds, and expire the old ones."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ontap_mlops import registry, settings
from ontap_mlops.operators.base import OntapOperator
from ontap_mlops.operators.context import run_key
from ontap_mlops.operators.links import OntapSnapshotLink

if TYPE_CHECKING:
    from airflow.sdk import Context


class DatasetVersionCreateOperator(OntapOperator):
    """Makes a dataset version: a snapshot of the dataset's volume that carries what ``check`` found.

    Skips, with a sentence, when the newest version has the same digest. A retry finds the snapshot of its first try.
    Each outlet's event carries the record in ``extra["dataset_version"]``.

    :param dataset: name in config/datasets.yaml.
    :param checked: result of ``tasks.data.check``: ``digest``, ``files``, ``bytes``.
    :return: the DatasetVersion, as JSON.
    """

    template_fields: Sequence[str] = ("dataset", "checked")
    operator_extra_links = (OntapSnapshotLink(),)

    def __init__(self, *, dataset: str, checked: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dataset = dataset
        self.checked = checked

    def execute(self, context: Context) -> dict[str, Any]:
        from airflow.sdk.exceptions import AirflowSkipException

        from ontap_mlops.ontap import cluster, dataset_versions

        dataset, found = registry.dataset(self.dataset), self.checked
        with self.hook.client() as client:
            self._compare_clocks(cluster.now(client))
            version, made = dataset_versions.freeze(
                client,
                dataset,
                digest=found["digest"],
                files=found["files"],
                size=found["bytes"],
                run_key=run_key(context),
            )
            self._count_snapshots(dataset, len(dataset_versions.list_versions(client, dataset)))
        if not made:
            raise AirflowSkipException(
                f"Nothing changed in {dataset.name} since version {version.id} of {version.created_at}; none is made."
            )
        self.log.info("Dataset version %s: snapshot %s of %s files", version.id, version.snapshot, version.files)
        OntapSnapshotLink.persist(context, self.ontap_conn_id, version)
        for outlet in self.outlets:
            context["outlet_events"][outlet].extra = {"dataset_version": version.to_json()}
        return version.to_json()

    def _compare_clocks(self, ontap_now: datetime) -> None:
        skew, limit = abs((ontap_now - datetime.now(UTC)).total_seconds()), settings.clock_skew_s()
        if limit and skew > limit:
            self.log.warning(
                "ONTAP's clock says %s, this worker's differs by %.0f s; versions are ordered by ONTAP's. "
                "Set both to the same time server, or runs will pick versions by the wrong date.",
                ontap_now.isoformat(),
                skew,
            )

    def _count_snapshots(self, dataset: registry.Dataset, count: int) -> None:
        if count >= settings.snapshot_warning():
            self.log.warning(
                "Volume %s has %s snapshots of at most 1,023; lower keep.versions or keep.days of %s in datasets.yaml.",
                dataset.volume,
                count,
                dataset.name,
            )


class DatasetVersionExpireOperator(OntapOperator):
    """Removes the dataset versions that datasets.yaml no longer keeps, and says why any other stays.

    A version stays when a registered model stands on it, or when ONTAP calls it busy (a clone, an owner, a lock).

    :param dataset: name in config/datasets.yaml.
    :param mlflow_conn_id: registry whose models protect the versions they were trained on.
    :return: ids of the versions removed, and for each one kept against the rule the reason.
    """

    template_fields: Sequence[str] = ("dataset",)

    def __init__(self, *, dataset: str, mlflow_conn_id: str = "mlflow_default", **kwargs: Any) -> None:
        super().__init__(trigger_rule="none_failed", **kwargs)
        self.dataset = dataset
        self.mlflow_conn_id = mlflow_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import cluster, dataset_versions, snapshots
        from ontap_mlops.ontap.errors import Busy

        dataset = registry.dataset(self.dataset)
        removed: list[str] = []
        kept: dict[str, str] = {}
        with self.hook.client() as client:
            versions = dataset_versions.list_versions(client, dataset)
            old = dataset_versions.expired(
                versions, newest=dataset.keep.versions, days=dataset.keep.days, now=cluster.now(client)
            )
            needed = self._needed_by_models() if old else {}
            for version in old:
                if version.snapshot_uuid in needed:
                    kept[version.id] = f"model {needed[version.snapshot_uuid]} was trained on it"
                    continue
                try:
                    snapshots.delete(client, volume_uuid=version.volume_uuid, name=version.snapshot)
                    removed.append(version.id)
                except Busy as busy:
                    kept[version.id] = str(busy)
        for id_, reason in kept.items():
            self.log.info("Version %s stays although it is old: %s", id_, reason)
        self.log.info("%s of %s versions of %s removed", len(removed), len(versions), dataset.name)
        return {"removed": removed, "kept": kept}

    def _needed_by_models(self) -> dict[str, str]:
        from ontap_mlops.hooks.mlflow import MlflowHook

        return {
            model.dataset_version.snapshot_uuid: f"{model.model} {model.version}"
            for model in MlflowHook(self.mlflow_conn_id).model_versions()
        }
