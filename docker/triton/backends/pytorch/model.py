"""The ``pytorch`` backend: serves ``<model>/<version>/model.pt`` (TorchScript) with torch.

It needs torch in the server's environment or in a folder given to serve.py by --torch-path. Inputs and outputs are
taken in the order of the model configuration, as Triton's own backend takes names like ``INPUT__0``.
"""

import json
import os
import sys
from pathlib import Path

import batching
import numpy as np

# Triton's Python ignores PYTHONPATH.
sys.path += filter(None, [os.environ.get("TORCH_PATH")])
import torch  # noqa: TID253


class TritonPythonModel:
    @staticmethod
    def auto_complete_config(config):
        """The configuration must already be complete: nothing is guessed."""
        return config

    def initialize(self, args):
        config = json.loads(args["model_config"])
        file = config.get("default_model_filename") or "model.pt"
        path = Path(args["model_repository"], args["model_version"], file)
        gpu = args["model_instance_kind"] == "GPU"
        self.device = torch.device(f"cuda:{args['model_instance_device_id']}" if gpu else "cpu")
        self.batched = config.get("max_batch_size", 0) > 0
        self.inputs = [given["name"] for given in config["input"]]
        self.outputs = [output["name"] for output in config["output"]]
        self.module = torch.jit.load(path, map_location=self.device).eval()

    def execute(self, requests):
        return batching.answer(requests, self.run, self.batched)

    @torch.inference_mode()
    def run(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        # A copy, since Triton lends its request buffers read-only.
        tensors = [torch.tensor(arrays[name], device=self.device) for name in self.inputs]
        result = self.module(*tensors)
        results = result if isinstance(result, (tuple, list)) else [result]
        return {name: tensor.cpu().numpy() for name, tensor in zip(self.outputs, results, strict=True)}
