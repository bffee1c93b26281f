"""The assets that join the DAGs: an event on one carries the record of what was made."""

from __future__ import annotations

from airflow.sdk import Asset

from ontap_mlops.registry import Dataset


def dataset_asset(dataset: Dataset) -> Asset:
    """Its events carry a DatasetVersion, as JSON, in ``extra["dataset_version"]``."""
    return Asset(name=f"dataset/{dataset.name}", uri=f"ontap://{dataset.svm}/{dataset.volume}", group="dataset")


def model_asset(model: str) -> Asset:
    """Its events carry a Deployment, as JSON, in ``extra["deployment"]``."""
    return Asset(name=f"model/{model}", uri=f"ontap://models/{model}", group="model")
