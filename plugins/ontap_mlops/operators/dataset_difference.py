"""What differs between a run's dataset version and an earlier one, for programs that work on what is new only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ontap_mlops import names
from ontap_mlops.operators.context import run_record
from ontap_mlops.operators.program import WORKSPACE, ProgramOperator
from ontap_mlops.records import DatasetVersion

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.compute.workload import Workload

DATASET = "dataset"


class DatasetDifferenceOperator(ProgramOperator):
    """List the files by which the run's dataset version differs from an earlier one, by their digests.

    Runs the program ``tasks.data.difference`` on the manifests of both, which lie in their snapshots: no file of the
    data is read, and one that was only written again is no change. The list goes to ``changes.jsonl`` in the run's
    folder, where the run's other programs find it. The dataset's volume must be mounted where the program runs, with
    its ``.snapshot`` folder.

    :param since: id of the earlier version (``v...``); the one before the run's own if empty. Where there is none
        before it, everything is new.
    :param flags: ``changes``, to have the list elsewhere.
    :param ontap_conn_id: connection to the storage that has the run's version.
    :return: how many files were ``added``, ``changed`` and ``removed``, ``bytes`` of the first two, the ``digests`` of
        both versions, and ``changes``, the file.
    """

    template_fields: Sequence[str] = (
        *(name for name in ProgramOperator.template_fields if name != "program"),
        "since",
        "ontap_conn_id",
    )
    operator_extra_links = ()

    def __init__(
        self,
        *,
        since: str | None = None,
        volumes: Mapping[str, str] | None = None,
        mlflow_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        volumes = {WORKSPACE: ""} if volumes is None else volumes
        super().__init__(program="tasks.data.difference", volumes=volumes, mlflow_conn_id=mlflow_conn_id, **kwargs)
        self.since = since
        self._versions: list[DatasetVersion] = []

    def workload(self, context: Context) -> Workload:
        after = run_record(context).dataset_version
        before = self._before(after)
        self.log.info("Version %s of %s since %s", after.id, after.dataset, before.id if before else "nothing")
        told = {"before": _data_of(before)} if before else {}
        self.flags = {**(self.flags or {}), **told, "data": _data_of(after)}
        return super().workload(context)

    def run_mounts(self, context: Context) -> dict[str, Any]:
        version = run_record(context).dataset_version
        home = {"svm": version.svm, "junction_path": names.junction_path(version.volume)}
        return super().run_mounts(context) | {DATASET: home}

    def _before(self, after: DatasetVersion) -> DatasetVersion | None:
        """Raises ValueError, naming the newest there are, where the version that was asked for is not there."""
        from ontap_mlops.hooks.ontap import OntapHook
        from ontap_mlops.ontap import dataset_versions

        with OntapHook(self.ontap_conn_id).client() as client:
            known = dataset_versions.list_versions(client, svm=after.svm, volume=after.volume, dataset=after.dataset)
        if not self.since:
            earlier = [version for version in known if dataset_versions.when(version) < dataset_versions.when(after)]
            return earlier[-1] if earlier else None
        found = next((version for version in known if version.id == self.since), None)
        if found is None:
            newest = ", ".join(version.id for version in known[-5:]) or "none"
            raise ValueError(
                f"what is new in version {after.id} of {after.dataset} since version {self.since} cannot be told: that "
                f"version is not there any more, or never was; its newest versions are: {newest}"
            )
        return found


def _data_of(version: DatasetVersion) -> str:
    return "{" + DATASET + "}/.snapshot/" + version.snapshot + "/data"
