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
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

HOUSE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(HOUSE))

from tasks.common.data import open_target  # noqa: E402
from tasks.common.judging import Model  # noqa: E402
from tasks.drift import plant, systems  # noqa: E402
from tasks.drift.plant import KINDS  # noqa: E402
from tasks.drift.sample import Source  # noqa: E402
from tasks.drift.verdict import Limits, Verdict, judge  # noqa: E402
from tasks.retail import generate  # noqa: E402
from tasks.retail.dataset import Question  # noqa: E402
from tasks.retail.labels import INTENTS  # noqa: E402
from tasks.tyre import drawing  # noqa: E402
from tests.bench.measured import stamp  # noqa: E402

Day = Callable[[Path, str, int], None]
CLICKS, QUESTIONS, TYRES = 30_000, 300, 150  # of a day
KNOWN = 0.7  # share of the phrases and words that people use on all days
DARKER, TURNED = 0.6, 0.5  # of the light of a photograph; of the labels
EXPECTED = {"nothing": ("none",), "inputs": ("data", "data and concept"), "relation": ("concept",)}


def clicks(folder: Path, kind: str, number: int) -> None:
    (folder / f"day_{number}").write_bytes(plant.day(kind, number, CLICKS, seed=1))


def questions(folder: Path, kind: str, number: int, count: int = QUESTIONS) -> None:
    """Of the same phrases on all days; other inputs are two intents alone, another relation is other labels."""
    chance = random.Random(f"bench-{number}")
    asked: dict[str, Question] = {}
    while len(asked) < count:
        for question in generate.conversation(chance, KNOWN):
            if kind != "inputs" or question.intent < 2:
                asked[question.digest] = question
    said = [(_turned(each, chance) if kind == "relation" else each, digest) for digest, each in asked.items()]
    generate.bring(open_target(str(folder)), said)


def _turned(question: Question, chance: random.Random) -> Question:
    if chance.random() > TURNED:
        return question
    return Question(question.words, (question.intent + 1) % len(INTENTS), question.slots)


def tyres(folder: Path, kind: str, number: int, count: int = TYRES) -> None:
    """Photographs like those before; with less light; or with half of the labels turned."""
    import cv2

    chance = np.random.default_rng([7, number])
    store = open_target(str(folder))
    for index in range(count):
        defective = bool(index % 2)
        content = drawing.draw(number + 1, index, 1, defective=defective)
        if kind == "inputs":
            pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
            content = cv2.imencode(".png", (pixels * DARKER).astype(np.uint8))[1].tobytes()
        called = defective ^ (kind == "relation" and chance.random() < TURNED)
        suffix = "png" if content.startswith(b"\x89PNG") else "jpg"
        store.write(f"{'defective' if called else 'good'}/{number}_{index}.{suffix}", content)


DAYS: dict[str, Day] = {"ctr": clicks, "retail": questions, "tyre": tyres}
TRAINING = {
    "ctr": ["--engine=pandas", "--trees=10", "--depth=8"],
    "retail": ["--configuration=small"],
    "tyre": ["--epochs=6"],
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--systems", nargs="+", choices=list(DAYS), default=list(DAYS))
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
        train = [sys.executable, "-m", f"tasks.{name}.train", f"--data={place / 'baseline'}", *TRAINING[name]]
        subprocess.run([*train, f"--output={place / 'model'}"], cwd=HOUSE, check=True, stderr=subprocess.DEVNULL)
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
    if name == "ctr":
        for number in range(2):
            clicks(folder, "nothing", number)
    elif name == "retail":
        questions(folder, "nothing", 0, count=1500)
    else:
        tyres(folder, "nothing", 0, count=800)


def verdicts(name: str, kind: str, place: Path, options: argparse.Namespace) -> Iterator[Verdict]:
    reader, model = systems.find(name), Model.parse(f"champion={place / 'model'}")
    baseline = str(place / "baseline")
    start = 100 * (1 + KINDS.index(kind))
    for number in range(start, start + (options.days if kind == "nothing" else options.planted)):
        with tempfile.TemporaryDirectory(dir=place) as folder:
            DAYS[name](Path(folder), kind, number)
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
