"""A Triton model configuration from an ONNX file, as JSON for the load call and as text for ``config.pbtxt``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tasks.common.program import BadInput

QUEUE_DELAY_US = 500
# Values that protobuf's text form writes without quotes.
_ENUMS = frozenset({"data_type", "kind"})
_MAPS = frozenset({"parameters"})


def from_onnx(name: str, version: int, model: Path, max_batch: int, facts: Mapping[str, str]) -> dict[str, Any]:
    """Serves exactly ``version``; requests are joined up to ``max_batch`` where the model's first axis is free.

    :param facts: kept as ``parameters``, so that the server itself can tell where the model comes from.
    """
    inputs, outputs = signature(model)
    batched = max_batch > 0 and all(shape and shape[0] == -1 for _, _, shape in [*inputs, *outputs])
    config: dict[str, Any] = {
        "name": name,
        "backend": "onnxruntime",
        "max_batch_size": max_batch if batched else 0,
        "input": [_tensor(*tensor, batched) for tensor in inputs],
        "output": [_tensor(*tensor, batched) for tensor in outputs],
        "instance_group": [{"count": 1, "kind": "KIND_CPU"}],
        "version_policy": {"specific": {"versions": [version]}},
        "parameters": {key: {"string_value": value} for key, value in sorted(facts.items())},
    }
    if batched:
        config["dynamic_batching"] = {"max_queue_delay_microseconds": QUEUE_DELAY_US}
    return config


def signature(model: Path) -> tuple[list[tuple[str, str, list[int]]], list[tuple[str, str, list[int]]]]:
    """Inputs and outputs of an ONNX file: name, Triton's data type, shape with -1 for any length."""
    import onnx

    try:
        graph = onnx.load(model, load_external_data=False).graph
    except Exception as error:  # protobuf's own, which has no public name
        raise BadInput(f"{model} is not an ONNX model ({error}); export and publish it again.") from None
    weights = {weight.name for weight in graph.initializer}
    return [_facts(v) for v in graph.input if v.name not in weights], [_facts(v) for v in graph.output]


def _facts(value: Any) -> tuple[str, str, list[int]]:
    import onnx

    tensor = value.type.tensor_type
    numpy_type = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
    shape = [axis.dim_value if axis.HasField("dim_value") else -1 for axis in tensor.shape.dim]
    return value.name, _triton_type(numpy_type.kind, numpy_type.itemsize), shape


def _triton_type(kind: str, size: int) -> str:
    words = {"f": f"FP{size * 8}", "i": f"INT{size * 8}", "u": f"UINT{size * 8}", "b": "BOOL", "O": "STRING"}
    return f"TYPE_{words[kind]}"


def _tensor(name: str, data_type: str, shape: list[int], batched: bool) -> dict[str, Any]:
    return {"name": name, "data_type": data_type, "dims": shape[1:] if batched else shape}


def as_text(config: Mapping[str, Any]) -> str:
    """Protobuf's text form."""
    return "\n".join(_lines(config, "")) + "\n"


def _lines(fields: Mapping[str, Any], indent: str) -> Iterator[str]:
    for key, value in fields.items():
        if key in _MAPS:
            value = [{"key": k, "value": v} for k, v in value.items()]
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, Mapping):
                yield f"{indent}{key} {{"
                yield from _lines(item, indent + "  ")
                yield f"{indent}}}"
            else:
                yield f"{indent}{key}: {item if key in _ENUMS else json.dumps(item, ensure_ascii=False)}"
