"""What operators tell OpenLineage: which dataset version, model version or service a task has read and made.

Names are those of the assets (namespace ``ontap``, ``dataset/<name>``, ``model/<name>``), so that lineage from tasks
and from assets meets. Which version it was is in the facet ``version``.
"""

from __future__ import annotations

from functools import singledispatch
from typing import TYPE_CHECKING, Any

from ontap_mlops.assets import SCHEME
from ontap_mlops.operators import log_context
from ontap_mlops.records import DatasetVersion, Deployment, ModelVersion, Record, Workspace

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

Part = tuple[str, str, dict[str, Any]]  # namespace, name, facts: ``version``, and of what was made ``files``, ``bytes``


class LineageMixin:
    """For an operator that makes a record. It calls ``tell_lineage`` with it; nothing happens without OpenLineage."""

    _made: Record | None = None

    def tell_lineage(self, record: Record) -> None:
        self._made = record
        data = record if isinstance(record, DatasetVersion) else getattr(record, "dataset_version", None)
        if isinstance(data, DatasetVersion):
            log_context.tell_version(data.id)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage | None:
        """Called by Airflow's OpenLineage provider after the task, in its process."""
        if self._made is None:
            return None
        from airflow.providers.openlineage.extractors import OperatorLineage

        read, made = parts(self._made)
        return OperatorLineage(
            inputs=[_dataset(part, output=False) for part in read],
            outputs=[_dataset(part, output=True) for part in made],
        )


@singledispatch
def parts(record: Record) -> tuple[list[Part], list[Part]]:
    """What was read and what was made."""
    raise TypeError(f"{type(record).__name__} has no lineage")


@parts.register
def _(version: DatasetVersion) -> tuple[list[Part], list[Part]]:
    made = {"version": version.id, "files": version.files, "bytes": version.bytes}
    return _source(version.source), [(SCHEME, f"dataset/{version.dataset}", made)]


@parts.register
def _(workspace: Workspace) -> tuple[list[Part], list[Part]]:
    made = (SCHEME, f"volume/{workspace.svm}/{workspace.volume}", {"version": workspace.run_key})
    return [_data(workspace.dataset_version)], [made]


@parts.register
def _(version: ModelVersion) -> tuple[list[Part], list[Part]]:
    return [_data(version.dataset_version)], [_model(version)]


@parts.register
def _(deployment: Deployment) -> tuple[list[Part], list[Part]]:
    version = deployment.model_version
    return [_model(version)], [(SCHEME, f"service/{version.model}", {"version": str(version.version)})]


def _data(version: DatasetVersion) -> Part:
    return (SCHEME, f"dataset/{version.dataset}", {"version": version.id})


def _model(version: ModelVersion) -> Part:
    return (SCHEME, f"model/{version.model}", {"version": str(version.version)})


def _source(url: str) -> list[Part]:
    """As OpenLineage names objects: the bucket is the namespace."""
    bucket, _, prefix = url.removeprefix("s3://").partition("/")  # "#" and "?" are letters of a prefix
    return [(f"s3://{bucket}", prefix.strip("/") or "/", {})] if url.startswith("s3://") else []


def _dataset(part: Part, *, output: bool) -> Any:
    from openlineage.client.event_v2 import InputDataset, OutputDataset
    from openlineage.client.facet_v2 import dataset_version_dataset, output_statistics_output_dataset

    namespace, name, facts = part
    facets: dict[str, Any] = {}
    if "version" in facts:
        facets["version"] = dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=facts["version"])
    if not output:
        return InputDataset(namespace=namespace, name=name, facets=facets)
    counted: dict[str, Any] = {}
    if "files" in facts:
        statistics = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet
        counted["outputStatistics"] = statistics(size=facts["bytes"], fileCount=facts["files"])
    return OutputDataset(namespace=namespace, name=name, facets=facets, outputFacets=counted)
