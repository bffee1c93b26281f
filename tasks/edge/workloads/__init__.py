"""What is measured at the edge: one file for each workload, found by its name.

A file says ``METRIC`` (what the gate compares), ``BOUND_MS`` (of multi-stream), ``prepare(options) -> Prepared`` and
``quality(outputs, truth, facts) -> float``; more is better. One of pictures says ``tensor(content, shape)`` too: what
the network takes of a picture's file, for the front of an edge server.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.common.program import BadInput

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Prepared:
    """``inputs`` [N, ...] of each tensor of the network, ``truth`` [N, ...], ``calibration`` [M, ...] as the inputs.

    ``onnx`` is the FP32 network with a free batch axis; ``facts`` are kept for ``quality``.
    """

    onnx: bytes
    inputs: Mapping[str, Array]
    truth: Array
    calibration: Mapping[str, Array]
    facts: Mapping[str, Any] = field(default_factory=dict)


def names() -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def find(name: str) -> ModuleType:
    """Raises BadInput, naming those there are, where there is none of this name."""
    if name not in names():
        raise BadInput(f"There is no workload {name!r}; there are {', '.join(names())}.")
    return importlib.import_module(f"{__name__}.{name}")


def spread(count: int, wanted: int) -> list[int]:
    """Places of ``wanted`` rows of ``count``, evenly spread; all where there are no more."""
    return [int(place) for place in np.linspace(0, count - 1, min(wanted, count))] if count else []
