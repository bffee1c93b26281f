"""Operators of the edge matrix: programs that share one working folder on a volume, and what they are mapped over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ontap_mlops import names
from ontap_mlops.operators.base import MlopsOperator
from ontap_mlops.operators.context import needed, run_key
from ontap_mlops.operators.edge import VERSION
from ontap_mlops.operators.kind_programs import KindProgramOperator
from ontap_mlops.records import ModelVersion
from ontap_mlops.serving.kind import Program

if TYPE_CHECKING:
    from airflow.sdk import Context

MATRIX = "edge_matrix"  # volume of the working folders, one for each run


class EdgeProgramOperator(KindProgramOperator):
    """Run a program of the edge matrix, ``tasks.edge.<program>``, on the run's working folder on the shared volume.

    It sees the model volume, the dataset version that the model was trained on (its snapshot), both read-only, and the
    volume ``edge_matrix``.

    :param program: name of the program.
    :param flags: further flags by name; None leaves one out.
    :param reads: hand over model and data, for the program that lays out the folder.
    :param cell: of a mapped task: what it measures, such as ``int8:offline:2``.
    :return: what the program says.
    """

    template_fields: Sequence[str] = (*KindProgramOperator.template_fields, "flags", "cell")
    template_fields_renderers = {"flags": "json"}

    def __init__(
        self,
        *,
        program: str,
        flags: Mapping[str, Any] | None = None,
        reads: bool = False,
        cell: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.edge_program = program
        self.flags = flags
        self.reads = reads
        self.cell = cell

    def kind_program(self, context: Context) -> Program:
        version = ModelVersion.from_json(needed(context, VERSION))
        data = version.dataset_version
        mounts: dict[str, Any] = {"shared": {"svm": version.svm, "junction_path": names.junction_path(MATRIX)}}
        flags = dict(self.flags or {}) | {"work": f"{{shared}}/{run_key(context)}"}
        if self.reads:
            mounts["models"] = _read_only(version.svm, version.volume)
            mounts["data"] = _read_only(data.svm, data.volume)
            flags |= {"model": f"{{models}}/{version.folder}", "data": f"{{data}}/.snapshot/{data.snapshot}/data"}
        if self.cell:
            flags["cell"] = self.cell
        arguments = [f"--{name.replace('_', '-')}={value}" for name, value in flags.items() if value not in (None, "")]
        return Program(program=f"tasks.edge.{self.edge_program}", arguments=arguments, mounts=mounts)


class EdgeCellsOperator(MlopsOperator):
    """Name the cells to measure: those of the precisions that the gate has let pass.

    :param gate: task id of the gate.
    :return: a list such as ``["fp32:single_stream:1", ...]``.
    """

    def __init__(self, *, gate: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.gate = gate

    def execute(self, context: Context) -> list[str]:
        found = needed(context, self.gate)
        self.log.info("%s of FP32's quality: %s; measured: %s", found["metric"], found["share"], found["passed"])
        return list(found["cells"])


def _read_only(svm: str, volume: str) -> dict[str, Any]:
    return {"svm": svm, "junction_path": names.junction_path(volume), "read_only": True}
