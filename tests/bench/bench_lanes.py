"""How much of two cores two processes of one lane training make use of, and where the rest of the time goes.

    python tests/bench/bench_lanes.py

In turns: one process alone; two that know nothing of each other, side by side, which is all that two cores can give;
and two that train one network together. Every process does the same work: nearly as many pictures an epoch, in batches
of the same size. Loader, step and communication are told apart, without the first epoch, in which everything is read
and made for the first time. Each round's share is that of two runs made one after the other; the median counts. Target:
95 % of what two cores can give.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HOUSE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(HOUSE))

from ontap_mlops.compute.kinds import _local_processes  # noqa: E402
from tasks.common.data import open_target  # noqa: E402
from tasks.lane import samples  # noqa: E402
from tests.bench.measured import stamp  # noqa: E402

TARGET = 0.95
PARTS = ("loader_s", "step_s", "communication_s")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=132, help="of one process")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch", type=int, default=16, help="of one process")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, default=HOUSE / "bench" / "lanes.json")
    options = parser.parse_args()
    ways: dict[str, list[dict[str, float]]] = {"one process": [], "two apart": [], "two together": []}
    with tempfile.TemporaryDirectory() as folder:
        samples.bring(open_target(f"{folder}/data"), 2 * options.scenes, samples.WIDTH)
        for round_ in range(options.rounds):
            to = Path(folder) / str(round_)
            ways["one process"].append(_summed(_run(options, folder, [to / "one"], 1)))
            ways["two apart"].append(_summed(_run(options, folder, [to / "left", to / "right"], 1)))
            ways["two together"].append(_summed(_run(options, folder, [to / "both"], 2)))
    report = told(ways)
    for name, row in report.items():
        parts = "  ".join(f"{part.removesuffix('_s')} {row[part]:.0%}" for part in PARTS)
        print(f"{name:<14} {row['pictures_per_s']:>7.1f} pictures/s   {parts}")
    pairs = zip(ways["two together"], ways["two apart"], strict=True)
    rounds = [together["pictures_per_s"] / apart["pictures_per_s"] for together, apart in pairs]
    given = statistics.median(rounds)
    met = "met" if given >= TARGET else "missed"
    print(
        f"Together they do {given:.1%} of what the two cores can give ({min(rounds):.1%} to {max(rounds):.1%}); "
        f"target {TARGET:.0%}: {met}"
    )
    machine = {"cpus": os.cpu_count(), "load": [round(value, 1) for value in os.getloadavg()]}
    facts = {"unit": "pictures/s, median; parts of the time of a process", "machine": machine, **stamp()}
    facts |= {name: getattr(options, name) for name in ("scenes", "epochs", "batch", "rounds")}
    options.output.parent.mkdir(exist_ok=True)
    whole = {**facts, "ways": report, "share_of_two_cores": round(given, 4), "target": TARGET}
    whole["share_of_each_round"] = [round(value, 4) for value in rounds]
    options.output.write_text(json.dumps(whole, indent=1) + "\n")
    return 0


def told(ways: dict[str, list[dict[str, float]]]) -> dict[str, dict[str, float]]:
    """The median over the rounds of each figure."""
    return {
        name: {figure: round(statistics.median(row[figure] for row in rows), 4) for figure in rows[0]}
        for name, rows in ways.items()
    }


def _run(options: Any, folder: str, outputs: list[Path], processes: int) -> list[dict[str, Any]]:
    """Train into each of the outputs at the same time; the lines of all logs but those of first epochs."""
    launcher = ["-m"] if processes == 1 else [_local_processes.__file__, f"--nproc-per-node={processes}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    running = []
    for output in outputs:
        flags = [f"--data={folder}/data", f"--output={output}", f"--epochs={options.epochs}", "--validate=false"]
        flags += [f"--limit={processes * options.scenes}", "--held-out-share=0.05"]
        command = [sys.executable, *launcher, "tasks.lane.train", *flags, f"--batch-size={options.batch}"]
        running.append(subprocess.Popen(command, cwd=HOUSE, env=environment, stderr=subprocess.PIPE, text=True))
    for process in running:
        _, errors = process.communicate()
        if process.returncode:
            raise SystemExit(errors)
    return [json.loads(line) for output in outputs for line in (output / "log.jsonl").read_text().splitlines()[1:]]


def _summed(lines: list[dict[str, Any]]) -> dict[str, float]:
    """Pictures per second of all processes, and the share of each part in the time of one."""
    logs = 2 if len({line["epoch"] for line in lines}) < len(lines) else 1
    seconds = sum(line["epoch_s"] for line in lines)
    pictures = sum(line["pictures_per_s"] * line["epoch_s"] for line in lines)
    shares = {part: sum(line[part] for line in lines) / seconds for part in PARTS}
    return {"pictures_per_s": pictures / (seconds / logs), **shares}


if __name__ == "__main__":
    sys.exit(main())
