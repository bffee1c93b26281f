"""A working folder of the matrix: networks, samples and truth, on whichever storage is measured.

The folder is the only switch between storages, as MLPERF_SCRATCH_PATH is in the published runs: `model.onnx`,
`model.int8.onnx`, `input_<tensor>.npy`, `calibration_<tensor>.npy`, `truth.npy` and `workload.json`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tasks.common.program import BadInput
from tasks.common.result import write_whole
from tasks.edge.workloads import Array, Prepared

FACTS = "workload.json"  # written last: the folder is complete
NETWORKS = {"fp32": "model.onnx", "int8": "model.int8.onnx"}


@dataclass(frozen=True)
class Work:
    folder: Path
    facts: Mapping[str, Any]

    @classmethod
    def open(cls, folder: Path) -> Work:
        """Raises BadInput where the folder is not complete."""
        try:
            return cls(folder, json.loads((folder / FACTS).read_text()))
        except FileNotFoundError:
            raise BadInput(f"{folder} holds no {FACTS}: prepare it first (python -m tasks.edge.prepare).") from None

    @classmethod
    def write(cls, folder: Path, workload: str, metric: str, bound_ms: float, prepared: Prepared) -> Work:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FACTS).unlink(missing_ok=True)
        (folder / NETWORKS["fp32"]).write_bytes(prepared.onnx)
        for kind, tensors in (("input", prepared.inputs), ("calibration", prepared.calibration)):
            for name, values in tensors.items():
                np.save(folder / f"{kind}_{name}.npy", np.ascontiguousarray(values))
        np.save(folder / "truth.npy", prepared.truth)
        facts = {
            "workload": workload,
            "metric": metric,
            "bound_ms": bound_ms,
            "samples": len(prepared.truth),
            "inputs": list(prepared.inputs),
            "facts": dict(prepared.facts),
        }
        write_whole(folder / FACTS, json.dumps(facts).encode())
        return cls(folder, facts)

    def copy_to(self, folder: Path) -> Work:
        """The same on another storage, whole: its description comes last."""
        folder.mkdir(parents=True, exist_ok=True)
        for path in self.folder.iterdir():
            if path.is_file() and path.name != FACTS:
                shutil.copyfile(path, folder / path.name)
        shutil.copyfile(self.folder / FACTS, folder / FACTS)
        return Work.open(folder)

    def network(self, precision: str) -> Path:
        path = self.folder / NETWORKS[precision]
        if not path.is_file():
            raise BadInput(
                f"{path} does not exist: quantise first (python -m tasks.edge.quantise --work {self.folder})."
            )
        return path

    def tensors(self, kind: str = "input") -> dict[str, Array]:
        """Read from the storage row by row, when a row is asked for."""
        return {name: np.load(self.folder / f"{kind}_{name}.npy", mmap_mode="r") for name in self.facts["inputs"]}

    @property
    def truth(self) -> Array:
        return np.load(self.folder / "truth.npy")
