"""A model as ONNX, run as it is when it is deployed."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Self

from tasks.common.program import BadInput


class OnnxModel:
    """One network in memory. ``digest`` is the SHA-256 of its file."""

    @classmethod
    def load(cls, path: Path, *, inputs: str, outputs: str, threads: int) -> Self:
        """Read a network from its file. Raises BadInput where there is none, or it takes more than ``inputs`` alone."""
        if not path.is_file():
            raise BadInput(f"{path} does not exist; name the output folder of a finished training.")
        return cls(path.read_bytes(), str(path), inputs=inputs, outputs=outputs, threads=threads)

    def __init__(self, content: bytes, name: str, *, inputs: str, outputs: str, threads: int) -> None:
        import onnxruntime

        self.digest = hashlib.sha256(content).hexdigest()
        self._inputs, self._outputs = inputs, outputs
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        # Its threads otherwise spin while they wait, and take the cores from whatever else runs here.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        found = [tensor.name for tensor in self._session.get_inputs()]
        if found != [inputs]:
            raise BadInput(f"{name} is a model of another kind: it takes {', '.join(found)}, not {inputs} alone.")

    def __call__(self, values: Any) -> Any:
        return self._session.run([self._outputs], {self._inputs: values})[0]
