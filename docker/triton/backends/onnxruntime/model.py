"""The ``onnxruntime`` backend: serves ``<model>/<version>/model.onnx`` with ONNX Runtime.

The wheel this server comes from has no backend of that name in C++; this one follows the same model configuration, so a
model repository made for it works unchanged in Triton's own container image.
"""

import json
from pathlib import Path

import batching
import numpy as np
import onnxruntime as ort


class TritonPythonModel:
    @staticmethod
    def auto_complete_config(config):
        """The configuration must already be complete: nothing is guessed."""
        return config

    def initialize(self, args):
        config = json.loads(args["model_config"])
        file = config.get("default_model_filename") or "model.onnx"
        path = Path(args["model_repository"], args["model_version"], file)
        self.batched = config.get("max_batch_size", 0) > 0
        self.outputs = [output["name"] for output in config["output"]]
        self.session = ort.InferenceSession(path, _options(), providers=_providers(args["model_instance_kind"]))

    def execute(self, requests):
        return batching.answer(requests, self.run, self.batched)

    def run(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return dict(zip(self.outputs, self.session.run(self.outputs, arrays), strict=True))


def _options() -> ort.SessionOptions:
    options = ort.SessionOptions()
    # Idle threads sleep rather than spin: training runs on the same cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _providers(kind: str) -> list[str]:
    return ["CUDAExecutionProvider", "CPUExecutionProvider"] if kind == "GPU" else ["CPUExecutionProvider"]
