"""Tiny models whose answers are known: every output of version n is n times the sum of the input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

SHAPE = (3, 4, 4)


def write_onnx(path: Path, factor: float, batched: bool = True) -> None:
    """``image`` float32 [batch, 3, 4, 4] to ``score`` float32 [batch, 1]; a fixed batch of 1 unless ``batched``."""
    batch = "batch" if batched else 1
    nodes = [
        helper.make_node("Flatten", ["image"], ["flat"], axis=1),
        helper.make_node("ReduceSum", ["flat", "axes"], ["sum"], keepdims=1),
        helper.make_node("Mul", ["sum", "factor"], ["score"]),
    ]
    constants = [
        helper.make_tensor("axes", TensorProto.INT64, [1], [1]),
        helper.make_tensor("factor", TensorProto.FLOAT, [1], [factor]),
    ]
    graph = helper.make_graph(
        nodes,
        "sum",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, *SHAPE])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, [batch, 1])],
        constants,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def ones(batch: int = 1) -> list[dict]:
    data = np.ones((batch, *SHAPE), np.float32).ravel().tolist()
    return [{"name": "image", "shape": [batch, *SHAPE], "datatype": "FP32", "data": data}]


ONES_SCORE = float(np.prod(SHAPE))
