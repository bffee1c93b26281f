"""Compare the quality of INT8 with that of FP32, both measured by LoadGen's accuracy mode on the same samples.

    python -m tasks.edge.gate --work /mnt/edge_matrix/r2026...

A precision counts only at 99 % of FP32's quality. The result has ``quality`` and ``share`` (of FP32's) by precision,
``passed`` and, for those that pass, ``cells``: what is to be measured, such as ``int8:offline:2``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tasks.common.cli import Flags
from tasks.common.program import BadInput, run
from tasks.common.progress import say
from tasks.common.result import write_whole
from tasks.edge import workloads
from tasks.edge.loadgen import SCENARIOS, Server
from tasks.edge.work import NETWORKS, Work

LEAST = 0.99
SERVERS = (1, 2)
GATE = "gate.json"


def main() -> dict[str, Any]:
    flags = Flags(__doc__)
    flags.add_argument("--work", type=Path, required=True, help="folder with both networks")
    flags.add_argument("--scenarios", default=",".join(SCENARIOS), help="to measure, a comma between two")
    flags.add_argument("--least", type=float, default=LEAST, help="share of FP32's quality")
    options = flags.parse()
    work = Work.open(options.work)
    chosen = options.scenarios.split(",")
    if unknown := sorted(set(chosen) - set(SCENARIOS)):
        raise BadInput(f"There is no scenario {', '.join(unknown)}; there are {', '.join(SCENARIOS)}.")
    result = judge(work, options.least, chosen)
    write_whole(work.folder / GATE, json.dumps(result).encode())
    return result


def judge(work: Work, least: float = LEAST, scenarios: Sequence[str] = SCENARIOS) -> dict[str, Any]:
    module = workloads.find(work.facts["workload"])
    quality = {}
    for precision in NETWORKS:
        outputs = Server(work, precision).accuracy(work.folder / "logs" / f"accuracy-{precision}")
        quality[precision] = round(module.quality(outputs, work.truth, work.facts["facts"]), 6)
    share = {name: round(value / quality["fp32"], 6) if quality["fp32"] else 0.0 for name, value in quality.items()}
    passed = [name for name in NETWORKS if name == "fp32" or share[name] >= least]
    for name in NETWORKS:
        said = "counts" if name in passed else f"does not count: it needs {least:.1%}"
        say(f"{name}: {work.facts['metric']} {quality[name]:.4f}, {share[name]:.2%} of FP32's; it {said}")
    cells = [f"{p}:{scenario}:{servers}" for p in passed for scenario in scenarios for servers in SERVERS]
    return {"metric": work.facts["metric"], "quality": quality, "share": share, "passed": passed, "cells": cells}


if __name__ == "__main__":
    run(main)
