"""A working folder with a network so small that LoadGen is the larger part of every run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tasks.edge.work import Work
from tasks.edge.workloads import Prepared

SAMPLES, WIDTH, CLASSES = 24, 16, 2


def network(weights: np.ndarray) -> bytes:
    """``images`` [N, WIDTH] times the weights to ``logits`` [N, CLASSES]."""
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["images", "weights"], ["logits"])],
        "linear",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", WIDTH])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", CLASSES])],
        [numpy_helper.from_array(weights.astype(np.float32), "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def working(folder: Path) -> Work:
    draw = np.random.default_rng(1)
    weights = draw.normal(size=(WIDTH, CLASSES))
    samples = draw.normal(size=(SAMPLES, WIDTH)).astype(np.float32)
    truth = (samples @ weights).argmax(axis=1)
    prepared = Prepared(
        onnx=network(weights), inputs={"images": samples}, truth=truth, calibration={"images": samples[:8]}
    )
    return Work.write(folder, "tyre", "accuracy", 50.0, prepared)
