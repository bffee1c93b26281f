"""The edge matrix: local disk against shared volume, one and two servers, by MLCommons' LoadGen, FP32 and INT8.

    python -m tests.bench.bench_edge                 chest
    python -m tests.bench.bench_edge tyre faces language     others; language needs the encoder of a package
    python -m tests.bench.bench_edge chest --bound-ms 50     with the older multi-stream's streams (long)

The shared volume is one of an emulator, as its clients see it mounted, on the same disk: what is found is the cost of
the way, not of a network. Data is drawn and the networks are trained for it, briefly.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HOUSE = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(HOUSE), str(HOUSE / "plugins")]

from tests.bench.measured import stamp  # noqa: E402
from tests.conftest import Emulator  # noqa: E402

VOLUME = "edge_matrix"
PICTURES = {"chest": 400, "tyre": 300, "faces": 440}
MAKERS = {"tyre": "tasks.tyre.samples"}  # others: tasks.<workload>.generate
EPOCHS = {"faces": 30}  # before that the detector finds nothing of which INT8 could lose
# The network for tyres takes some 100 ms a picture: 662 queries of 8 are no bench.
SCENARIOS = {"tyre": "single_stream,offline"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workloads", nargs="*", default=["chest"], help="chest, tyre, faces, language")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--bound-ms", type=float, default=0.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        emulator = Emulator(Path(folder) / "ontap").start()
        try:
            shared = _volume(emulator)
            reports = {name: measured(name, Path(folder), shared, options) for name in options.workloads}
        finally:
            emulator.close()
    (HOUSE / "bench" / "edge.json").write_text(json.dumps(stamp() | reports, indent=1) + "\n")
    void = [text for report in reports.values() for text in report["said"] if "LoadGen says INVALID" in text]
    return 1 if void else 0


def measured(name: str, folder: Path, shared: Path, options: argparse.Namespace) -> dict[str, Any]:
    work = shared / name
    program("prepare", f"--workload={name}", f"--work={work}", *_trained(name, folder))
    program("quantise", f"--work={work}")
    scenarios = [f"--scenarios={SCENARIOS[name]}"] if name in SCENARIOS else []
    program("gate", f"--work={work}", *scenarios)
    for cell in json.loads((work / "gate.json").read_text())["cells"]:
        chosen = [f"--repeats={options.repeats}", f"--seconds={options.seconds}", f"--bound-ms={options.bound_ms}"]
        program("measure", f"--work={work}", f"--cell={cell}", *chosen)
    program("report", f"--work={work}")
    return json.loads((work / "report" / "matrix.json").read_text())


def _trained(name: str, folder: Path) -> list[str]:
    """Flags that name data and a model of it; none for a workload that brings its own."""
    if name not in PICTURES:
        return []
    data, model = folder / f"{name}-data", folder / f"{name}-model"
    run(MAKERS.get(name, f"tasks.{name}.generate"), f"--output={data}", f"--count={PICTURES[name]}")
    run(f"tasks.{name}.train", f"--data={data}", f"--output={model}", f"--epochs={EPOCHS.get(name, 2)}")
    return [f"--data={data}", f"--model={model}"]


def program(name: str, *arguments: str) -> None:
    run(f"tasks.edge.{name}", *arguments)


def run(module: str, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", module, *arguments], cwd=HOUSE, check=True)


def _volume(emulator: Emulator) -> Path:
    with emulator.client() as http:
        body = {"name": VOLUME, "svm": {"name": emulator.svm}, "size": 8 * 1024**3, "aggregates": [{"name": "aggr1"}]}
        body["nas"] = {"path": f"/{VOLUME}", "unix_permissions": "777"}
        http.post("/api/storage/volumes", json=body, params={"return_timeout": 60}).raise_for_status()
    return emulator.namespace / VOLUME


if __name__ == "__main__":
    sys.exit(main())
