"""Whether a model may be promoted and served, by what is known of the personal data it was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk.exceptions import AirflowFailException

from ontap_mlops.records import DatasetVersion, ModelVersion


def require_scan(model: str, data: DatasetVersion, scan: Mapping[str, Any]) -> None:
    """Raise AirflowFailException, with a sentence, for a model whose data nobody has scanned, or where what was found
    is not allowed.

    A digest is what a check gives a version, so one that has it was checked before it was frozen: that is what is known
    of models that an earlier release promoted, which kept no ``scan`` with them.

    :param model: what is refused, in words.
    :param scan: as ``tasks.governance.scan`` gives it; {} where there is none.
    """
    if found := {} if scan.get("allowed") else scan.get("personal_data"):
        kinds = "; ".join(f"{kind} in {count} files" for kind, count in found.items())
        raise AirflowFailException(
            f"{model} is refused: dataset version {data.id} of {data.dataset}, which it was trained on, holds personal "
            f"data that was not allowed: {kinds}. Nothing that serves is changed. Train on a version without it, or "
            "allow it (check: allow_personal_data in datasets.yaml) and promote again."
        )
    if not scan and not data.digest:
        raise AirflowFailException(
            f"{model} is refused: nobody has scanned dataset version {data.id} of {data.dataset}, which it was trained "
            "on, for personal data. Nothing that serves is changed. Train again: a promotion scans it; or make the "
            f"version by the DAG ingest_{data.dataset}."
        )


def require_scanned(version: ModelVersion) -> None:
    """The same of a registered version."""
    require_scan(f"Version {version.version} of {version.model}", version.dataset_version, version.scan)
