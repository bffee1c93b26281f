"""Where a network is trained: the GPU that the place gives this program, or the CPU; and what that is called."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from tasks.common.program import BadInput

AUTO, CPU, CUDA = "auto", "cpu", "cuda"


def chosen(asked: str) -> str:
    """Return ``cuda`` or ``cpu``, or a device by number such as ``cuda:1``. ``auto`` is a GPU where one is to be seen.

    Raises BadInput for a GPU that is not there.
    """
    import torch

    there = torch.cuda.is_available()
    if asked == AUTO:
        asked = CUDA if there else CPU
    if asked.partition(":")[0] not in (CPU, CUDA):
        raise BadInput(f"--device is {asked!r}; give auto, cpu or cuda.")
    if asked.startswith(CUDA):
        # Its linear algebra adds up in one order then, which torch's deterministic mode asks for.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        if not there:
            raise BadInput(
                "--device is cuda, and torch sees no GPU here: ask for one in program_resources, name a place that has "
                "one, or say cpu."
            )
    return asked


def named(device: str) -> str:
    """Return what it is called by its maker, such as ``NVIDIA H100``, for people and for MLflow."""
    if device.startswith(CUDA):
        import torch

        return str(torch.cuda.get_device_name(device))
    return _processor()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models and models[0] else platform.processor() or platform.machine()
