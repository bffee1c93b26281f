"""Lay out a working folder of the edge matrix: network, samples, truth, and samples to calibrate INT8 with.

    python -m tasks.edge.prepare --workload tyre --model /models/r2026... --data /data/.snapshot/mlops_v.../data \
        --work /mnt/edge_matrix/r2026...

The workloads are the files of ``tasks/edge/workloads``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tasks.common.cli import Flags
from tasks.common.program import run
from tasks.common.progress import say
from tasks.edge import workloads
from tasks.edge.work import Work

SAMPLES, CALIBRATION = 64, 32


def main() -> dict[str, Any]:
    flags = Flags(__doc__)
    flags.add_argument("--workload", required=True, help=f"one of {', '.join(workloads.names())}")
    flags.add_argument("--model", type=Path, help="folder of the trained model")
    flags.add_argument("--data", help="folder or s3://bucket/prefix of the dataset version")
    flags.add_argument("--work", type=Path, required=True, help="folder to lay out")
    flags.add_argument("--samples", type=int, default=SAMPLES, help="samples that LoadGen draws from")
    flags.add_argument("--calibration", type=int, default=CALIBRATION, help="samples that INT8 is calibrated with")
    options = flags.parse()
    module = workloads.find(options.workload)
    work = Work.write(options.work, options.workload, module.METRIC, module.BOUND_MS, module.prepare(options))
    say(f"{work.facts['samples']} samples of {options.workload} are in {work.folder}")
    return {name: work.facts[name] for name in ("workload", "metric", "bound_ms", "samples")}


if __name__ == "__main__":
    run(main)
