"""Make the INT8 network of a working folder: weights and activations of 8 bits, calibrated with training samples.

    python -m tasks.edge.quantise --work /mnt/edge_matrix/r2026...

ONNX Runtime's static quantisation (QDQ), a scale for each channel of the weights. Whether the result is good enough is
for ``tasks.edge.gate`` to say.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tasks.common.cli import Flags
from tasks.common.program import run
from tasks.common.progress import say
from tasks.edge.work import NETWORKS, Work


def main() -> dict[str, Any]:
    flags = Flags(__doc__)
    flags.add_argument("--work", type=Path, required=True, help="folder that tasks.edge.prepare has laid out")
    work = Work.open(flags.parse().work)
    sizes = quantise(work)
    say(f"INT8 takes {sizes['int8']:,} bytes where FP32 takes {sizes['fp32']:,}")
    return {"bytes": sizes}


def quantise(work: Work) -> dict[str, int]:
    """Return the size of each network in bytes."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    tensors = work.tensors("calibration")
    rows = iter(
        [{name: values[place : place + 1] for name, values in tensors.items()} for place in range(_count(tensors))]
    )

    class Rows(CalibrationDataReader):
        def get_next(self) -> Any:
            return next(rows, None)

    target, ready = work.folder / NETWORKS["int8"], work.folder / ".model.ready.onnx"
    partial = target.with_name(f".{target.name}.partial")
    try:
        quant_pre_process(str(work.network("fp32")), str(ready), skip_symbolic_shape=True)
        quantize_static(
            str(ready),
            str(partial),
            Rows(),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            extra_options={"ActivationSymmetric": False},
        )
        partial.replace(target)
    finally:
        ready.unlink(missing_ok=True)
        partial.unlink(missing_ok=True)
    return {name: (work.folder / file).stat().st_size for name, file in NETWORKS.items()}


def _count(tensors: dict[str, Any]) -> int:
    return len(next(iter(tensors.values())))


if __name__ == "__main__":
    run(main)
