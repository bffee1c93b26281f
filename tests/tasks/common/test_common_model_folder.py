"""MLflow itself loads what a training leaves: the folder, and the version that is registered from its run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from ontap_mlops.hooks.mlflow import MlflowHook
from ontap_mlops.records import DatasetVersion, ModelVersion
from tasks.common.model_folder import LOADED, Tensor, trained_in, write_model
from tasks.common.onnx_model import OnnxModel
from tasks.common.program import BadInput
from tasks.common.tracking import Run
from tasks.ctr.forest import Forest, Tree, to_onnx
from tasks.models import publish

_LOAD = """
import json, sys, numpy, mlflow
model = mlflow.pyfunc.load_model(sys.argv[1])
values = numpy.array(json.loads(sys.argv[2]), numpy.float32)
answer = model.predict({"numeric": values})
inputs = json.loads(model.metadata.signature.inputs.to_json())
print("answer", json.dumps([answer["probabilities"].tolist(), inputs]))
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """One tree that asks whether the first number is at most 1."""
    arrays = ([0, -1, -1], np.int16), ([1, 0, 0], np.float32), ([1, 0, 0], np.int32), ([2, 0, 0], np.int32)
    tree = Tree(*(np.array(*array) for array in arrays), np.array([0.5, 0.25, 0.75]))
    inputs, outputs = Tensor("numeric", "float32", (-1, 13)), Tensor("probabilities", "float32", (-1, 2))
    write_model(tmp_path / "run", {"seed": 1}, {"model.onnx": to_onnx(Forest([tree]), {})}, inputs, outputs)
    return tmp_path / "run"


def loaded(uri: str, values: np.ndarray) -> tuple[Any, Any]:
    """What MLflow's own client answers, in a process of its own: it takes seconds to import."""
    command = [sys.executable, "-c", _LOAD, uri, json.dumps(values.tolist())]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    answer = next(line for line in done.stdout.splitlines() if line.startswith("answer"))
    return tuple(json.loads(answer.removeprefix("answer")))


def test_the_description_lists_every_file_and_the_signature_says_what_goes_in(model: Path):
    told = json.loads((model / "model.json").read_text())
    assert (told["seed"], told["input"], told["output"]) == (1, "numeric", "probabilities")
    assert set(told["files"]) | {"model.json"} == set(LOADED) == {path.name for path in model.iterdir()}
    assert publish.files_of_model(model), "their digests are right"
    signature = yaml.safe_load((model / "MLmodel").read_text())["signature"]
    assert json.loads(signature["inputs"]) == [
        {"name": "numeric", "type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 13]}}
    ]


def test_mlflow_loads_the_champion_from_its_registry(model: Path, mlflow_connection: str, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_connection)
    with Run("r1", experiment="loading") as run:
        for name in LOADED:
            run.artifact(model / name, "model")
    data = DatasetVersion(
        dataset="d",
        id="v1",
        svm="svm1",
        volume="d",
        volume_uuid="u",
        snapshot="s",
        snapshot_uuid="su",
        created_at="2026-01-01T00:00:00+00:00",
        digest="x",
        files=1,
        bytes=1,
    )
    version = ModelVersion(
        model="loaded",
        version=0,
        run_key="r1",
        mlflow_run_id=run.run_id,
        dataset_version=data,
        svm="svm1",
        volume="loaded_models",
        folder="r1",
        digest="sha256:0",
        snapshot="s",
        snapshot_uuid="su",
        created_at="2026-01-01T00:00:00+00:00",
        code_commit="c",
    )
    hook = MlflowHook()
    hook.set_champion("loaded", hook.register(version).version)
    values = np.zeros((2, 13), np.float32)
    values[1, 0] = 3
    answer, inputs = loaded("models:/loaded@champion", values)
    network = OnnxModel.load(model / "model.onnx", inputs="numeric", outputs="probabilities", threads=1)
    np.testing.assert_allclose(answer, network(values))
    assert answer[0][1] == 0.25 and answer[1][1] == 0.75
    assert inputs[0]["tensor-spec"] == {"dtype": "float32", "shape": [-1, 13]}
    facts = hook.version_of_run("loaded", "r1")
    assert {tag["key"]: tag["value"] for tag in facts["tags"]}["location"] == "ontap://svm1/loaded_models/r1"


def test_the_trained_model_is_in_the_run_folder_or_where_best_says(tmp_path: Path):
    assert trained_in(tmp_path) == tmp_path
    (tmp_path / "best.json").write_text('{"folder": "dask"}')
    assert trained_in(tmp_path) == tmp_path / "dask"
    (tmp_path / "best.json").write_text("{}")
    with pytest.raises(BadInput, match="best.json does not name a folder"):
        trained_in(tmp_path)


def test_a_network_of_another_kind_is_one_sentence(model: Path):
    with pytest.raises(BadInput, match="takes numeric, not images alone"):
        OnnxModel.load(model / "model.onnx", inputs="images", outputs="logits", threads=1)
    with pytest.raises(BadInput, match="does not exist; name the output folder"):
        OnnxModel.load(model / "none.onnx", inputs="numeric", outputs="logits", threads=1)
