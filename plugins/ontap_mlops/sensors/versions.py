"""Sensors on dataset versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from ontap_mlops import registry
from ontap_mlops.sensors.base import OntapSensor


class DatasetVersionSensor(OntapSensor):
    """Waits until a dataset has a version, or one newer than a version or a time.

    To wait for what happens after the run was due: ``newer_than="{{ dag_run.run_after }}"``.

    :param dataset: name in datasets.yaml, or a dataset by value.
    :param newer_than: id of a version, or an ISO 8601 time by ONTAP's clock; any version will do if empty.
    :return: the newest version, as JSON.
    """

    template_fields: Sequence[str] = ("dataset", "newer_than")
    look: ClassVar[str] = "ontap_mlops.ontap.looking.newer_version"

    def __init__(
        self, *, dataset: str | registry.Dataset | Mapping[str, Any], newer_than: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.dataset = registry.as_argument(dataset)
        self.newer_than = newer_than

    def subject(self) -> dict[str, Any]:
        dataset = registry.as_dataset(self.dataset)
        names, labels = dataset.adopted
        return {
            "svm": self.hook.svm(dataset.svm),
            "volume": dataset.volume,
            "dataset": dataset.name,
            "newer_than": str(self.newer_than or ""),
            "adopt_names": list(names),
            "adopt_labels": list(labels),
        }
