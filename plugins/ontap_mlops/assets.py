"""The assets that join the DAGs: an event on one carries the record of what was made."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from airflow.sdk import Asset

from ontap_mlops.registry import Dataset

if TYPE_CHECKING:
    from airflow.providers.common.compat.openlineage.facet import Dataset as LineageDataset

SCHEME = "ontap"
_KINDS = ("dataset", "model")


def dataset_asset(dataset: str | Dataset) -> Asset:
    """``ontap://dataset/<name>``. Its events carry a DatasetVersion, as JSON, in ``extra["dataset_version"]``."""
    return _asset("dataset", dataset if isinstance(dataset, str) else dataset.name)


def model_asset(model: str) -> Asset:
    """``ontap://model/<name>``. Its events carry a Deployment, as JSON, in ``extra["deployment"]``."""
    return _asset("model", model)


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


def _asset(kind: str, name: str) -> Asset:
    return Asset(name=f"{kind}/{name}", uri=f"{SCHEME}://{kind}/{name}", group=kind)
