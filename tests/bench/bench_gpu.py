"""The same trainings on CPU and GPU: seconds, and metrics that must agree. For whoever has a GPU.

    python tests/bench/bench_gpu.py
    python tests/bench/bench_gpu.py --rapids-python .venv-rapids/bin/python   # the forest on RAPIDS too

The tyre network is trained by ``--device cpu`` and ``--device cuda`` with the same data and seed. The two add numbers
up in another order, so weights differ; the figures may by BOUND at most, or the bench fails. Results: bench/gpu.json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HOUSE = Path(__file__).resolve().parents[2]
BOUND = {"accuracy": 0.03, "roc_auc": 0.02}
"""By which a figure on the GPU may differ from that on the CPU: two standard errors of 300 held-out images or so."""
ROWS = 1_000_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1856)
    parser.add_argument("--rapids-python", default="", help="of an environment made from requirements-gpu.txt")
    parser.add_argument("--output", type=Path, default=HOUSE / "bench" / "gpu.json")
    options = parser.parse_args()
    import torch

    if not torch.cuda.is_available():
        print("torch sees no GPU here, so there is nothing to compare.", file=sys.stderr)
        return 1
    told: dict[str, Any] = {"gpu": torch.cuda.get_device_name(), "torch": torch.__version__, "bound": BOUND}
    with tempfile.TemporaryDirectory(prefix="mlops-gpu-") as name:
        told["tyre"] = tyres(Path(name), options.images)
        if options.rapids_python:
            told["forest"] = forests(Path(name), options.rapids_python)
    wrong = [
        f"{figure}: {cpu} on the CPU, {gpu} on the GPU"
        for figure, bound in BOUND.items()
        if abs((cpu := told["tyre"]["cpu"][figure]) - (gpu := told["tyre"]["cuda"][figure])) > bound
    ]
    print(json.dumps(told, indent=2))
    options.output.write_text(json.dumps(told, indent=2) + "\n")
    if wrong:
        print(f"CPU and GPU do not agree: {'; '.join(wrong)}.", file=sys.stderr)
    return 1 if wrong else 0


def tyres(folder: Path, images: int) -> dict[str, Any]:
    data = folder / "tyres"
    run(sys.executable, "tasks.tyre.samples", "--output", str(data), "--count", str(images))
    found = {}
    for device in ("cpu", "cuda"):
        begun = time.monotonic()
        result = run(
            sys.executable,
            "tasks.tyre.train",
            "--data",
            str(data),
            "--output",
            str(folder / device),
            "--device",
            device,
        )
        figures = {name: result["metrics"][name] for name in ("accuracy", "roc_auc", "log_loss")}
        found[device] = {"seconds": round(time.monotonic() - begun, 1), "device": result["device"], **figures}
    return found


def forests(folder: Path, rapids: str) -> dict[str, Any]:
    data = folder / "ctr"
    run(sys.executable, "tasks.ctr.generate", "--output", str(data), "--rows", str(ROWS))
    found = {}
    for engine, python in (("dask", sys.executable), ("rapids", rapids)):
        begun = time.monotonic()
        run(python, "tasks.ctr.train", "--data", str(data), "--output", str(folder / engine), "--engine", engine)
        found[engine] = {"seconds": round(time.monotonic() - begun, 1)}
    return found


def run(python: str, program: str, *arguments: str) -> dict[str, Any]:
    """Return the program's result."""
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        environment = {**os.environ, "RESULT_FILE": file.name}
        subprocess.run([python, "-m", program, *arguments], cwd=HOUSE, env=environment, check=True)
        text = Path(file.name).read_text()
    return dict(json.loads(text)) if text else {}


if __name__ == "__main__":
    sys.exit(main())
