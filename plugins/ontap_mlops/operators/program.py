"""The operator that runs one program of a pipeline with the run's record, data and volumes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ontap_mlops import names
from ontap_mlops.operators.context import REGISTER, claim_of, needed, result_of, run_record, workspace
from ontap_mlops.operators.links import DatasetVersionLink
from ontap_mlops.operators.workload import WorkloadOperator
from ontap_mlops.records import DatasetCache, Deployment, ModelVersion, RunCache, RunRecord, Workspace

if TYPE_CHECKING:
    from airflow.sdk import BaseOperatorLink, Context

    from ontap_mlops.compute.workload import Workload

WORKSPACE, CACHE = "workspace", "cache"
RUN_FILE_SCHEMA = 1


class ProgramOperator(WorkloadOperator):
    """Run a program that learns from the file RUN_FILE what its run works on (see tasks/README.md).

    :param program: module, run by ``python -m``.
    :param flags: what this one task says beyond the run's record: ``{"engine": "dask"}`` is ``--engine dask``.
    :param volumes: what it sees as folders: ``workspace``, the run's clone, and others by key -> volume name, on the
        dataset's SVM.
    :param champion: hand over the champion that the run is judged against.
    :param model: hand over, as flag ``--model``, the folder of the version that the run registered, or else of the
        champion.
    :param endpoint: task id of the step that loaded the version: the program is told where it answers and which it is,
        in RUN_FILE as ``endpoint`` and ``version``.
    :param cached: task id of the step that cached the run's version: the data is read from that cache, where there is
        one.
    :param buttons: links to show on the task instead of those of every program; Airflow shows an empty heading over
        buttons that lead nowhere.
    :param each_flag: of a mapped task: the flag that gets this instance's ``step``.
    :param processes_parameter: the run's parameter that says how many processes work together, so that a repeated run
        has as many.
    :param bucket_conn_id: ``aws`` connection to the buckets of the SVM, used when the workspace has one.
    """

    template_fields: Sequence[str] = (
        *(name for name in WorkloadOperator.template_fields if name not in ("arguments", "mounts", "aws_conn_id")),
        "flags",
    )
    template_fields_renderers = {"flags": "json"}

    def __init__(
        self,
        *,
        program: str,
        flags: Mapping[str, Any] | None = None,
        volumes: Mapping[str, str] | None = None,
        champion: bool = False,
        model: bool = False,
        endpoint: str | None = None,
        cached: str | None = None,
        buttons: Sequence[BaseOperatorLink] | None = None,
        each_flag: str | None = None,
        processes_parameter: str | None = None,
        bucket_conn_id: str = "ontap_s3",
        mlflow_conn_id: str | None = "mlflow_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(program=program, mlflow_conn_id=mlflow_conn_id, **kwargs)
        self.flags = flags
        self.volumes = volumes
        self.champion = champion
        self.model = model
        self.endpoint = endpoint
        self.cached = cached
        self.each_flag = each_flag
        self.processes_parameter = processes_parameter
        self.bucket_conn_id = bucket_conn_id
        self._inputs: _Inputs | None = None
        if buttons is not None:
            self.operator_extra_links = tuple(buttons)
        elif WORKSPACE in (volumes or {}):
            self.operator_extra_links = (*self.operator_extra_links, DatasetVersionLink())

    def workload(self, context: Context) -> Workload:
        self._inputs = inputs = self._read(context)
        self.aws_conn_id = self.bucket_conn_id if inputs.workspace and inputs.workspace.bucket else None
        self.arguments = {**(self.flags or {}), **self.run_flags(inputs)}
        if self.processes_parameter:
            self.processes = inputs.record.parameters[self.processes_parameter]
        return super().workload(context)

    def run_facts(self, context: Context) -> dict[str, Any]:
        facts = (self._inputs or self._read(context)).run_file(self.task_id.rpartition(".")[2])
        return {**facts, **self._served(context)}

    def run_mounts(self, context: Context) -> dict[str, Any]:
        return (self._inputs or self._read(context)).mounts

    def run_flags(self, inputs: _Inputs) -> dict[str, Any]:
        """Return the flags that depend on the run. A subclass may add some."""
        flags: dict[str, Any] = {self.each_flag: self.step} if self.each_flag else {}
        if inputs.to_use:
            flags["model"] = inputs.folder(inputs.to_use)
        return flags

    def _served(self, context: Context) -> dict[str, Any]:
        if self.endpoint is None:
            return {}
        deployment = Deployment.from_json(needed(context, self.endpoint))
        return {"endpoint": deployment.endpoint, "version": deployment.model_version.version}

    def _read(self, context: Context) -> _Inputs:
        """Everything the run has said so far, asked for once."""
        volumes = self.volumes or {}
        claim = claim_of(context) if self.champion or self.model else None
        registered = result_of(context, REGISTER) if self.model else None
        to_use = ModelVersion.from_json(registered) if registered else claim.champion if claim and self.model else None
        used = result_of(context, self.cached) if self.cached else None
        return _Inputs(
            record=run_record(context),
            cache=RunCache.from_json(used).cache if used else None,
            workspace=workspace(context) if WORKSPACE in volumes else None,
            volumes={key: name for key, name in volumes.items() if key != WORKSPACE},
            to_judge=claim.champion if claim and self.champion else None,
            to_use=to_use,
        )


@dataclass(frozen=True, kw_only=True)
class _Inputs:
    """What one program works on. ``{key}`` stands for the folder of a mount where the program runs."""

    record: RunRecord
    workspace: Workspace | None
    volumes: Mapping[str, str]
    to_judge: ModelVersion | None
    to_use: ModelVersion | None
    cache: DatasetCache | None = None

    @property
    def mounts(self) -> dict[str, Any]:
        svm = self.record.dataset_version.svm
        mounts: dict[str, Any] = {key: _mount(svm, names.junction_path(volume)) for key, volume in self.volumes.items()}
        if self.workspace:
            bucket = {"bucket": self.workspace.bucket} if self.workspace.bucket else {}
            mounts[WORKSPACE] = {**_mount(self.workspace.svm, self.workspace.junction_path), **bucket}
            if self.cache:
                mounts[CACHE] = {**_mount(self.cache.svm, self.cache.junction_path), "read_only": True}
        # A version may lie on a volume of its own, such as one of an earlier release.
        version = self.to_judge or self.to_use
        if version and _of(version) not in mounts.values():
            mounts["champion"] = _of(version)
        return mounts

    @property
    def data(self) -> str | None:
        if self.workspace is None:
            return None
        if self.cache:
            return "{" + CACHE + "}/data"
        return f"s3://{self.workspace.bucket}/data" if self.workspace.bucket else "{" + WORKSPACE + "}/data"

    def run_file(self, step: str) -> dict[str, Any]:
        champion = self.to_judge and {
            "folder": self.folder(self.to_judge),
            "version": self.to_judge.version,
            "run_key": self.to_judge.run_key,
        }
        return {
            "schema": RUN_FILE_SCHEMA,
            "run": self.record.to_json(),
            "step": step,
            "data": self.data,
            "folders": {key: "{" + key + "}" for key in self.mounts},
            "champion": champion,
        }

    def folder(self, version: ModelVersion) -> str:
        key = next(key for key, mount in self.mounts.items() if mount == _of(version))
        return "{" + key + "}/" + version.folder


def _mount(svm: str, junction_path: str) -> dict[str, str]:
    return {"svm": svm, "junction_path": junction_path}


def _of(version: ModelVersion) -> dict[str, str]:
    return _mount(version.svm, names.junction_path(version.volume))
