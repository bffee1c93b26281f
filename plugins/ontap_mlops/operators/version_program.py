"""The operator that runs a program on a dataset version as it lies in its snapshot, without a workspace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ontap_mlops import names
from ontap_mlops.operators.context import run_record
from ontap_mlops.operators.links import DatasetVersionLink
from ontap_mlops.operators.workload import WorkloadOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.compute.workload import Workload

RUN_FILE_SCHEMA = 1


class VersionProgramOperator(WorkloadOperator):
    """Run a program that reads the snapshot of the run's dataset version, and learns the rest from RUN_FILE.

    :param flags: what this task says beyond the run's record, by name; None leaves one out.
    :param volumes: what it sees as further folders, by key -> volume name, on the dataset's SVM.
    """

    template_fields: Sequence[str] = (
        *(name for name in WorkloadOperator.template_fields if name not in ("arguments", "mounts")),
        "flags",
    )
    template_fields_renderers = {"flags": "json"}
    operator_extra_links = (DatasetVersionLink(),)

    def __init__(
        self, *, flags: Mapping[str, Any] | None = None, volumes: Mapping[str, str] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.flags = flags
        self.volumes = volumes

    def workload(self, context: Context) -> Workload:
        self.arguments = {**(self.flags or {}), **self.run_flags(context)}
        return super().workload(context)

    def run_flags(self, context: Context) -> dict[str, Any]:
        """Return flags that depend on the run. For a subclass that has some."""
        return {}

    def run_facts(self, context: Context) -> dict[str, Any]:
        record = run_record(context)
        return {
            "schema": RUN_FILE_SCHEMA,
            "run": record.to_json(),
            "step": self.task_id,
            "data": f"{{data}}/.snapshot/{record.dataset_version.snapshot}/data",
            "folders": {key: "{" + key + "}" for key in self.run_mounts(context)},
        }

    def run_mounts(self, context: Context) -> dict[str, Any]:
        version = run_record(context).dataset_version
        data = {**mount(version.svm, version.volume), "read_only": True}
        return {"data": data, **{key: mount(version.svm, name) for key, name in (self.volumes or {}).items()}}


def mount(svm: str, volume: str) -> dict[str, Any]:
    return {"svm": svm, "junction_path": names.junction_path(volume)}
