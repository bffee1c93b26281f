"""A model's folder: its files, ``model.json`` that describes them, and ``MLmodel`` by which MLflow loads it.

``mlflow.pyfunc.load_model`` takes the folder, or ``models:/NAME@champion`` of a version registered from it, with
onnxruntime installed and nothing of this project.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from tasks.common.program import BadInput
from tasks.common.result import write_whole
from tasks.common.run_file import RunFile

DESCRIPTION = "model.json"  # written last by a training: the folder is a model
ONNX = "model.onnx"
MLMODEL, REQUIREMENTS = "MLmodel", "requirements.txt"
LOADED = (DESCRIPTION, ONNX, MLMODEL, REQUIREMENTS)  # what MLflow needs to load the model
BEST = "best.json"  # where a run trained several, {"folder": the best one's}


@dataclass(frozen=True)
class Tensor:
    """One input or output of a network; -1 in ``shape`` is any number."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    def signature(self) -> str:
        """As MLflow keeps it: JSON, also within YAML."""
        spec = {"dtype": self.dtype, "shape": list(self.shape)}
        return json.dumps([{"name": self.name, "type": "tensor", "tensor-spec": spec}])


def write_model(
    folder: Path, description: Mapping[str, Any], files: Mapping[str, bytes], inputs: Tensor, outputs: Tensor
) -> dict[str, str]:
    """Write all files of a model, the description last. Returns the SHA-256 of each other one by name.

    :param files: contents by name, ``model.onnx`` among them.
    """
    whole = {**files, MLMODEL: _mlmodel(inputs, outputs).encode(), REQUIREMENTS: _requirements().encode()}
    for name, content in whole.items():
        write_whole(folder / name, content)
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in whole.items()}
    told = {**description, "input": inputs.name, "output": outputs.name, "files": digests}
    write_whole(folder / DESCRIPTION, json.dumps(told, indent=2, sort_keys=True).encode())
    return digests


def _mlmodel(inputs: Tensor, outputs: Tensor) -> str:
    """As ``mlflow.onnx`` writes it, but for times and ids: the same model gives the same text."""
    return f"""\
artifact_path: model
flavors:
  onnx:
    data: {ONNX}
    providers:
    - CPUExecutionProvider
  python_function:
    data: {ONNX}
    loader_module: mlflow.onnx
    python_version: {platform.python_version()}
signature:
  inputs: '{inputs.signature()}'
  outputs: '{outputs.signature()}'
  params: null
"""


def _requirements() -> str:
    try:
        return f"mlflow\nonnxruntime=={metadata.version('onnxruntime')}\n"
    except metadata.PackageNotFoundError:  # an image that only trains
        return "mlflow\nonnxruntime\n"


def trained_in(run_folder: Path) -> Path:
    """The folder of the model that a run trained: the run folder itself, or the one in it that ``best.json`` names."""
    try:
        best = json.loads((run_folder / BEST).read_text())["folder"]
    except FileNotFoundError:
        return run_folder
    except (ValueError, KeyError, TypeError):
        raise BadInput(f"{run_folder / BEST} does not name a folder; compare the trainings again.") from None
    return run_folder / str(best)


def write_best(run_folder: Path, model: Path) -> None:
    """Say which of the models that a run trained is its model."""
    folder = Path(os.path.relpath(model, run_folder)).as_posix()
    write_whole(run_folder / BEST, json.dumps({"folder": folder}).encode())


def trained_by(run: RunFile) -> str | None:
    """As ``trained_in``, of the run that RUN_FILE describes; None where its workspace is not mounted."""
    return str(trained_in(Path(run.run_folder))) if run.run_folder else None


def judged_models(run: RunFile) -> list[str] | None:
    """NAME=FOLDER of what ``evaluate`` judges: the run's own model, and the champion where there is one."""
    challenger = trained_by(run)
    models = [f"challenger={challenger}"] if challenger else []
    models += [f"champion={run.champion.folder}"] if run.champion else []
    return models if challenger else None
