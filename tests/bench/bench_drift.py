"""How often drift raises an alarm on a stream without any, and how often it finds what was planted, for each system.

    python tests/bench/bench_drift.py                    all systems
    python tests/bench/bench_drift.py --systems ctr      one of them

Of each system a champion is trained by its own program on a first version. Then come days like those it was trained on
(30 unless told otherwise), days whose inputs are others, and days on which the inputs are as before and the relation
has changed. Each day is read and judged as the program does, with the limits that the DAG begins with. Target: no alarm
on any stable day, and every planted drift found as what it is.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HOUSE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(HOUSE))

from tasks.common.data import open_target  # noqa: E402
from tasks.common.judging import Model  # noqa: E402
from tasks.drift import plant, streams, systems  # noqa: E402
from tasks.drift.sample import Source  # noqa: E402
from tasks.drift.streams import KINDS, Day  # noqa: E402
from tasks.drift.verdict import Limits, Verdict, judge  # noqa: E402
from tests.bench.measured import stamp  # noqa: E402

EXPECTED = {"nothing": ("none",), "inputs": ("data", "data and concept"), "relation": ("concept",)}
FIRST = {
    "calls": [400],
    "chest": [800],
    "ctr": [30_000, 30_000],
    "faces": [600],
    "lane": [700],
    "retail": [1500],
    "tyre": [800],
}
"""Rows of the days of the version that the champion is trained on."""
COUNTS = {**streams.COUNTS, "ctr": 30_000}
PLAIN = ["train", "--data={baseline}", "--output={model}"]
TRAINING = {
    "calls": [PLAIN],
    "chest": [PLAIN],
    "ctr": [[*PLAIN, "--engine=pandas", "--trees=10", "--depth=8"]],
    "faces": [
        ["train", "--data={baseline}", "--output={model}/network"],
        *(
            ["sweep", "--data={baseline}", "--network={model}/network", "--output={model}/sweep", f"--alpha={alpha}"]
            for alpha in (0, 0.5)
        ),
        ["choose", "--sweep={model}/sweep", "--network={model}/network", "--output={model}", "--most-lost=0.9"],
    ],
    "lane": [PLAIN],
    "retail": [[*PLAIN, "--configuration=small"]],
    "tyre": [[*PLAIN, "--epochs=6"]],
}
"""Programs of each system, one after another."""
CHAMPION = {"faces": "model/model"}
"""Where the programs leave the model, if not in the folder itself."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--systems", nargs="+", choices=plant.SYSTEMS, default=plant.SYSTEMS)
    parser.add_argument("--days", type=int, default=30, help="without drift")
    parser.add_argument("--planted", type=int, default=5, help="days of each kind of drift")
    parser.add_argument("--output", type=Path, default=HOUSE / "bench" / "drift.json")
    options = parser.parse_args()
    report = json.loads(options.output.read_text())["systems"] if options.output.exists() else {}
    for name in options.systems:
        report[name] = measured(name, options)
        print(json.dumps({name: report[name]}, indent=1), flush=True)
    right = all(each["as_expected"] == each["days"] for told in report.values() for each in told["kinds"].values())
    print(
        "Every stable day without an alarm, every planted drift found as what it is: " + ("met" if right else "missed")
    )
    machine = {"cpus": os.cpu_count(), "load": [round(value, 1) for value in os.getloadavg()]}
    facts = {"unit": "days", "limits": vars(Limits()), "machine": machine, **stamp()}
    options.output.parent.mkdir(exist_ok=True)
    options.output.write_text(json.dumps({**facts, "systems": report}, indent=1) + "\n")
    return 0


def measured(name: str, options: argparse.Namespace) -> dict[str, Any]:
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        first(name, place / "baseline")
        for flags in TRAINING[name]:
            chosen = [flag.format(baseline=place / "baseline", model=place / "model") for flag in flags]
            program = [sys.executable, "-m", f"tasks.{name}.{chosen[0]}", *chosen[1:]]
            subprocess.run(program, cwd=HOUSE, check=True, stderr=subprocess.DEVNULL)
        trained = time.monotonic()
        found = {kind: [*verdicts(name, kind, place, options)] for kind in KINDS}
        judged = sum(map(len, found.values()))
    return {
        "kinds": {kind: told(kind, each) for kind, each in found.items()},
        "seconds_of_training": round(trained - begun, 1),
        "seconds_of_a_day": round((time.monotonic() - trained) / judged, 2),
    }


def first(name: str, folder: Path) -> None:
    """Make the version that the champion is trained on."""
    folder.mkdir()
    for number, count in enumerate(FIRST[name]):
        plant.make(name, open_target(str(folder)), Day("nothing", number, count))


def verdicts(name: str, kind: str, place: Path, options: argparse.Namespace) -> Iterator[Verdict]:
    reader, model = systems.find(name), Model.parse(f"champion={place / CHAMPION.get(name, 'model')}")
    baseline = str(place / "baseline")
    start = 100 * (1 + KINDS.index(kind))
    for number in range(start, start + (options.days if kind == "nothing" else options.planted)):
        with tempfile.TemporaryDirectory(dir=place) as folder:
            plant.make(name, open_target(folder), Day(kind, number, COUNTS[name]))
            source = Source(baseline=baseline, since=baseline, data=folder, model=model, limit=reader.LIMIT)
            yield judge(reader.read(source), Limits())


def told(kind: str, found: list[Verdict]) -> dict[str, Any]:
    distances = [max(column.distance for column in verdict.columns) for verdict in found]
    row: dict[str, Any] = {
        "days": len(found),
        "alarms": sum(verdict.alarm for verdict in found),
        "as_expected": sum(verdict.drift in EXPECTED[kind] for verdict in found),
        "drift": dict(collections.Counter(verdict.drift for verdict in found)),
        "greatest_distance": _ends(distances),
    }
    if found[0].separation:
        row["separation"] = _ends([verdict.separation.value for verdict in found if verdict.separation])
    concepts = [verdict.concept for verdict in found if verdict.concept]
    if concepts:
        row["unexplained"] = _ends([concept.unexplained.value for concept in concepts])
    return row


def _ends(values: list[float]) -> list[float]:
    return [round(min(values), 3), round(max(values), 3)]


if __name__ == "__main__":
    sys.exit(main())
