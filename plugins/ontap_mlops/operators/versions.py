"""Operators on dataset versions: make one of what a volume holds, and expire the old ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from ontap_mlops import registry, settings
from ontap_mlops.operators.base import OntapOperator
from ontap_mlops.operators.context import run_key
from ontap_mlops.operators.lineage import LineageMixin
from ontap_mlops.operators.links import DatasetVersionLink
from ontap_mlops.records import DatasetVersion
from ontap_mlops.triggers.memory import MADE_HERE

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.ontap.client import Client


_RUNS_REMEMBERED = 50  # many more than there can be between two looks


class DatasetVersionCreateOperator(LineageMixin, OntapOperator):
    """Make a dataset version: a snapshot of the dataset's volume that carries what ``check`` found.

    Skips, with a sentence, when the newest version has the same digest. A retry finds the snapshot of its first try.
    Each outlet's event carries the record in ``extra["dataset_version"]``.

    :param dataset: name in datasets.yaml, or a dataset by value.
    :param checked: result of ``tasks.data.check``: ``digest``, ``files``, ``bytes``.
    :return: the DatasetVersion, as JSON.
    """

    template_fields: Sequence[str] = ("dataset", "checked")
    operator_extra_links = (DatasetVersionLink(),)

    def __init__(self, *, dataset: str | registry.Dataset | Mapping[str, Any], checked: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dataset = registry.as_argument(dataset)
        self.checked = checked

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import cluster, dataset_versions

        dataset, found = registry.as_dataset(self.dataset), self.checked
        self._tell_watchers(context)
        with self.hook.client() as client:
            self._compare_clocks(cluster.now(client))
            version, made, count = dataset_versions.freeze(
                client,
                svm=self.hook.svm(dataset.svm),
                volume=dataset.volume,
                dataset=dataset.name,
                source=dataset.source,
                digest=found["digest"],
                files=found["files"],
                size=found["bytes"],
                run_key=run_key(context),
            )
        self._warn_near_limit(dataset, count)
        if not made:
            self.skip_because(
                context,
                f"Nothing changed in {dataset.name} since version {version.id} of {version.created_at}; none is made.",
            )
        self.tell_lineage(version)
        self.log.info("Dataset version %s: snapshot %s of %s files", version.id, version.snapshot, version.files)
        for outlet in self.outlets:
            context["outlet_events"][outlet].extra = {"dataset_version": version.to_json()}
        return version.to_json()

    def _tell_watchers(self, context: Context) -> None:
        """Say, before there is a version, that this run tells it: a watcher of the asset leaves it alone then."""
        stores: Any = context.get("asset_state_store")
        for outlet in self.outlets:
            if stores is not None and getattr(outlet, "watchers", None):
                runs = [run for run in stores[outlet].get(MADE_HERE) or () if run != run_key(context)]
                stores[outlet].set(MADE_HERE, [*runs[-_RUNS_REMEMBERED:], run_key(context)])

    def _compare_clocks(self, ontap_now: datetime) -> None:
        skew, limit = abs((ontap_now - datetime.now(UTC)).total_seconds()), settings.clock_skew_s()
        if limit and skew > limit:
            self.log.warning(
                "ONTAP's clock says %s, this worker's differs by %.0f s; versions are ordered by ONTAP's. "
                "Set both to the same time server, or runs will pick versions by the wrong date.",
                ontap_now.isoformat(),
                skew,
            )

    def _warn_near_limit(self, dataset: registry.Dataset, count: int) -> None:
        if count >= settings.snapshot_warning():
            self.log.warning(
                "Volume %s has %s snapshots of at most 1,023, those of snapshot policies and backups included; lower "
                "keep.versions or keep.days of %s in datasets.yaml, or remove others.",
                dataset.volume,
                count,
                dataset.name,
            )


class DatasetVersionExpireOperator(OntapOperator):
    """Remove the dataset versions that the ``keep`` rule no longer keeps, and report why any other was kept.

    An old version stays when a registered model was trained on it, whatever its age; when a training on it began within
    ``keep.days``, so that its record can still be repeated; and when ONTAP calls it busy: a clone (the workspace of a
    run that goes on, or of a failed one that is kept), an owner, a lock. MLflow is asked only when a version is old,
    and when its answer is not clear, nothing is removed.

    :param dataset: name in datasets.yaml, or a dataset by value.
    :param mlflow_conn_id: registry whose models and trainings protect the versions they stand on.
    :return: ids of the versions removed, and for each one kept against the rule the reason.
    """

    template_fields: Sequence[str] = ("dataset",)

    def __init__(
        self,
        *,
        dataset: str | registry.Dataset | Mapping[str, Any],
        mlflow_conn_id: str = "mlflow_default",
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("trigger_rule", "none_failed")
        super().__init__(**kwargs)
        self.dataset = registry.as_argument(dataset)
        self.mlflow_conn_id = mlflow_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        dataset = registry.as_dataset(self.dataset)
        with self.hook.client() as client:
            svm = self.hook.svm(dataset.svm)
            found = judged(client, svm=svm, dataset=dataset, mlflow_conn_id=self.mlflow_conn_id)
            old = [one for one in found if not one.by_rule]
            reasons = {one.version.id: one.reason or _removed(client, one.version) for one in old}
        kept = {id_: reason for id_, reason in reasons.items() if reason}
        for id_, reason in kept.items():
            self.log.info("Version %s stays although it is old: %s", id_, reason)
        removed = [id_ for id_ in reasons if id_ not in kept]
        self.log.info("%s of %s versions of %s removed", len(removed), len(found), dataset.name)
        return {"removed": removed, "kept": kept}


class Judged(NamedTuple):
    """``reason`` says why the version stays, as far as others than ONTAP know; ``by_rule`` that it is not old."""

    version: DatasetVersion
    by_rule: bool
    reason: str | None


def judged(client: Client, *, svm: str, dataset: registry.Dataset, mlflow_conn_id: str) -> list[Judged]:
    """Return every version of the dataset, oldest first, with what keeps it. MLflow is asked only if one is old."""
    from ontap_mlops.ontap import cluster, dataset_versions

    now, keep = cluster.now(client), dataset.keep
    versions = dataset_versions.list_versions(client, svm=svm, volume=dataset.volume, dataset=dataset.name)
    old = {v.id for v in dataset_versions.expired(versions, newest=keep.versions, days=keep.days, now=now)}
    needed = _needed(mlflow_conn_id, now - timedelta(days=keep.days)) if old else {}
    rule = f"it is among the newest {keep.versions}, or younger than {keep.days} days"
    return [
        Judged(v, False, needed.get(v.snapshot_uuid) or needed.get(v.id)) if v.id in old else Judged(v, True, rule)
        for v in versions
    ]


def _needed(mlflow_conn_id: str, since: datetime) -> dict[str, str]:
    """Snapshot UUID, or id of the version where a copy of it was used, to the reason why the version stays.

    All of it is known before the first one is removed.
    """
    from ontap_mlops.hooks.mlflow import MlflowHook

    mlflow = MlflowHook(mlflow_conn_id)
    trainings = mlflow.snapshots_trained_on(since)
    models = {
        stood_on: f"{m.model} {m.version}"
        for m in mlflow.model_versions()
        for stood_on in (m.dataset_version.snapshot_uuid, m.dataset_version.id)
    }
    return {
        **{uuid: f"training {key} since {since:%Y-%m-%d} used it" for uuid, key in trainings.items()},
        **{uuid: f"model {model} was trained on it" for uuid, model in models.items()},
    }


def _removed(client: Client, version: DatasetVersion) -> str | None:
    """Remove it, or say why it stays."""
    from ontap_mlops.ontap import snapshots
    from ontap_mlops.ontap.errors import Busy

    try:
        snapshots.delete(client, volume_uuid=version.volume_uuid, name=version.snapshot)
    except Busy as busy:
        return str(busy)
    return None
