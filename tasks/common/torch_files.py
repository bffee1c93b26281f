"""A torch network as the content of files: its weights, and the ONNX graph that is served."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import nn

OPSET = 17  # old enough for the ONNX Runtime of every current Triton
ANY_NUMBER: Mapping[int, str] = {0: "batch"}


def weights_of(state: Mapping[str, torch.Tensor]) -> bytes:
    """Return what ``torch.load`` reads as ``state``."""
    file = io.BytesIO()
    torch.save({name: tensor.contiguous() for name, tensor in state.items()}, file)
    return file.getvalue()


def onnx_of(
    network: nn.Module,
    example: torch.Tensor,
    inputs: str,
    outputs: str,
    free: Mapping[int, str] = ANY_NUMBER,
    free_out: Mapping[int, str] | None = None,
) -> bytes:
    """Return the ONNX graph of a network with one input and one output.

    :param free: axes of the input that may be of any length, with a name for each.
    :param free_out: those of the output; the same if not given.
    """
    file = io.BytesIO()
    with warnings.catch_warnings():
        # Of the older exporter, and of a network's own check of its input's shape, which is the same for every one.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        torch.onnx.export(
            network,
            (example,),
            cast(Any, file),  # its signature names paths only, but it writes to a stream as well
            input_names=[inputs],
            output_names=[outputs],
            dynamic_axes={inputs: dict(free), outputs: dict(free if free_out is None else free_out)},
            opset_version=OPSET,
            dynamo=False,
        )
    return file.getvalue()
