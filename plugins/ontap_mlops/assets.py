"""The assets that join the DAGs: an event on one carries the record of what was made.

An asset may be watched: then what happens on the storage, whoever did it, becomes an event too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from airflow.sdk import Asset, AssetAlias, AssetWatcher

from ontap_mlops import registry, settings
from ontap_mlops.registry import DEFAULT_CONN_ID, Dataset

if TYPE_CHECKING:
    from airflow.providers.common.compat.openlineage.facet import Dataset as LineageDataset
    from airflow.triggers.base import BaseEventTrigger

SCHEME = "ontap"
_KINDS = ("dataset", "model", "drift", "snapshots", "mirror", "cache", "objects")
EVERY_S = 60.0


def dataset_asset(dataset: str | Dataset) -> Asset:
    """``ontap://dataset/<name>``. Its events carry a DatasetVersion, as JSON: ``told(event)["dataset_version"]``.

    With ``watch`` in the dataset's entry, versions that were made elsewhere are events too.
    """
    name = dataset if isinstance(dataset, str) else dataset.name
    entry = _configured(name) if isinstance(dataset, str) else dataset
    return _asset("dataset", name, *([_of_dataset(entry)] if entry and entry.watch else []))


def model_asset(model: str) -> Asset:
    """``ontap://model/<name>``. Its events carry a Deployment, as JSON, in ``extra["deployment"]``."""
    return _asset("model", model)


def drift_asset(model: str) -> Asset:
    """``ontap://drift/<name of the model>``. Its events carry what has drifted, ``told(event)["drift"]``, and the new
    DatasetVersion; ``start`` in the former says how the training that it starts begins.
    """
    return _asset("drift", model)


def snapshots_asset(
    volume: str,
    *,
    name: str = "*",
    label: str = "",
    svm: str = "",
    ontap_conn_id: str = DEFAULT_CONN_ID,
    every_s: float = EVERY_S,
) -> Asset:
    """An asset with an event for every new snapshot of a volume, whoever makes it.

    :param volume: name, or a pattern such as ``images_*``.
    :param name: pattern of the snapshots' names, such as ``weekly.*``.
    :param label: SnapMirror label of the snapshots; any if empty.
    :param svm: the connection's own if empty.
    :param every_s: seconds between two looks; all watchers with one connection and interval share them.
    """
    from ontap_mlops.triggers.watching import OntapEventTrigger

    called = _called(svm, volume, name if name != "*" else "", label, ontap_conn_id)
    where: dict[str, Any] = {"volume": volume, "svm": svm, "ontap_conn_id": ontap_conn_id, "interval_s": every_s}
    trigger = OntapEventTrigger(kind="snapshot", name=name, label=label, asset=f"snapshots/{called}", **where)
    return _asset("snapshots", called, trigger)


def mirror_asset(
    volume: str, *, svm: str = "", ontap_conn_id: str = DEFAULT_CONN_ID, every_s: float = EVERY_S
) -> Asset:
    """An asset with an event for every finished SnapMirror transfer to a volume.

    :param volume: the mirror's destination; name or pattern.
    :param svm: of the destination; the connection's own if empty.
    :param ontap_conn_id: connection to the cluster of the destination.
    :param every_s: as in ``snapshots_asset``.
    """
    from ontap_mlops.triggers.watching import OntapEventTrigger

    called = _called(svm, volume, ontap_conn_id)
    where: dict[str, Any] = {"volume": volume, "svm": svm, "ontap_conn_id": ontap_conn_id, "interval_s": every_s}
    return _asset("mirror", called, OntapEventTrigger(kind="transfer", asset=f"mirror/{called}", **where))


def cache_asset(cache: str, *, svm: str = "", ontap_conn_id: str = DEFAULT_CONN_ID, every_s: float = EVERY_S) -> Asset:
    """An asset with an event for every finished prepopulate of a FlexCache volume.

    :param cache: name or pattern.
    :param svm: of the cache; the connection's own if empty.
    :param every_s: as in ``snapshots_asset``.
    """
    from ontap_mlops.triggers.watching import OntapEventTrigger

    called = _called(svm, cache, ontap_conn_id)
    where: dict[str, Any] = {"volume": cache, "svm": svm, "ontap_conn_id": ontap_conn_id, "interval_s": every_s}
    return _asset("cache", called, OntapEventTrigger(kind="prepopulate", asset=f"cache/{called}", **where))


def objects_asset(url: str, *, aws_conn_id: str = "aws_default", every_s: float = EVERY_S) -> Asset:
    """An asset with an event when objects have come, or were written anew, in a bucket's folder.

    :param url: ``s3://bucket/prefix/``.
    :param every_s: seconds between two listings; all watchers of one folder share them.
    """
    from ontap_mlops.triggers.objects import S3ObjectTrigger

    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    if not url.startswith("s3://") or not bucket:
        raise ValueError(f"{url!r} is no folder of a bucket; give it like s3://bucket/prefix/")
    called = _called(bucket, prefix.strip("/"), "" if aws_conn_id == "aws_default" else aws_conn_id)
    trigger = S3ObjectTrigger(
        bucket=bucket, prefix=prefix, aws_conn_id=aws_conn_id, interval_s=every_s, asset=f"objects/{called}"
    )
    return _asset("objects", called, trigger)


def told(event: Any) -> Mapping[str, Any]:
    """Return what an asset event carries, whether a task or a watcher told it.

    :param event: of ``triggering_asset_events``, or the ``extra`` of one.
    """
    extra = event if isinstance(event, Mapping) else getattr(event, "extra", None)
    if not isinstance(extra, Mapping):
        return {}
    payload = extra.get("payload")
    return payload if extra.get("from_trigger") and isinstance(payload, Mapping) else extra


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """What Airflow calls for every asset with the scheme ``ontap``. Raises ValueError on any other form."""
    kind, name = uri.netloc.lower(), uri.path.strip("/")
    if kind not in _KINDS or not name or "/" in name or uri.query:
        raise ValueError(f"asset {uri.geturl()!r} is none of ours; give ontap://dataset/NAME or ontap://model/NAME")
    return uri._replace(netloc=kind, path=f"/{name}")


def convert_asset_to_openlineage(asset: Asset, lineage_context: object) -> LineageDataset:
    """What Airflow calls to tell OpenLineage about an inlet or outlet."""
    from airflow.providers.common.compat.openlineage.facet import Dataset as LineageDataset

    parts = urlsplit(asset.uri)
    return LineageDataset(namespace=SCHEME, name=f"{parts.netloc}{parts.path}")


def _of_dataset(dataset: Dataset) -> BaseEventTrigger:
    from ontap_mlops.triggers.watching import OntapEventTrigger

    watch = dataset.watch or registry.Watch()
    return OntapEventTrigger(
        kind="snapshot",
        volume=dataset.volume,
        svm=dataset.svm,
        dataset=dataset.name,
        adopt_names=watch.adopt,
        adopt_labels=watch.labels,
        ontap_conn_id=dataset.ontap_conn_id,
        interval_s=watch.every_s,
        asset=f"dataset/{dataset.name}",
    )


def _configured(name: str) -> Dataset | None:
    """Every DAG that names an asset must give it the same watchers, so the entry decides; none where there is none."""
    try:
        return registry.find(name) if settings.has_config_dir() else None
    except (OSError, ValueError):  # the DAGs made from that file say what is wrong with it
        return None


def _called(*parts: str) -> str:
    """Return a name for an asset from what tells it from others; what patterns have is written as Airflow takes it."""
    parts = tuple(part for part in parts if part and part != DEFAULT_CONN_ID)
    return ",".join(parts).replace("/", "-").replace("?", "%3F")


def _asset(kind: str, name: str, *triggers: BaseEventTrigger) -> Asset:
    watchers = [AssetWatcher(name=f"{kind}/{name}", trigger=trigger) for trigger in triggers]
    return Asset(name=f"{kind}/{name}", uri=f"{SCHEME}://{kind}/{name}", group=kind, watchers=watchers)


# Without an address: for one, Airflow imports what every provider has for addresses, Amazon's library with it, and each
# DAG file that moves data would pay for that.
TRANSFERS = Asset(name="transfers", group="transfers")
"""Its events carry what each transfer really took, beside what was said of it: ``told(event)["transfer"]``."""

MOVED = AssetAlias(name="moved", group="transfers")
"""Outlet of a task that may move data: an event of ``TRANSFERS`` only where it has moved some."""

PLANS = Asset(name="transfers/planned", group="transfers")
"""Its events carry what was said before: ``told(event)["plan"]``, as ``TransferPlanOperator`` returns it."""
