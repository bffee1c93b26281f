"""Make chest pictures in the layout of NIH's data set, as a data lake would hold them.

    python -m tasks.chest.generate --output /tmp/chest --count 800
    python -m tasks.chest.generate --output s3://lake/chest --revision 2     # the next day: more patients

The same seed, count and side give the same bytes; a later revision keeps what is there and adds a tenth. Patients are
on one side each, by their number, so that the official split of an earlier revision stays what it was.
"""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.chest.drawing import SIDE, draw
from tasks.chest.findings import FINDINGS, NONE, SEPARATOR
from tasks.chest.table import LABELS, PATIENT, PICTURE, TEST_LIST, TRAIN_LIST
from tasks.common import program
from tasks.common.data import Store, open_target
from tasks.common.program import BadInput
from tasks.common.progress import Progress, say

COUNT = 1000
ADDED = 0.1  # of the first day's pictures, by each later one
PER_FOLDER = 1000
TABLE = "Data_Entry_2017.csv"
HEADER = (PICTURE, LABELS, "Follow-up #", PATIENT, "Patient Age", "Patient Gender", "View Position")
SIZES = ("OriginalImage[Width", "Height]", "OriginalImagePixelSpacing[x", "y]")
HEALTHY = 0.3  # of the pictures; far fewer than in a hospital, so that few pictures have enough of each finding
MOST_VISITS, MOST_FINDINGS = 4, 3
TEST_SHARE = 0.25


@dataclass(frozen=True)
class Sample:
    patient: int
    visit: int
    findings: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.patient:08d}_{self.visit:03d}.png"


def main() -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", required=True, help="folder or s3://bucket/prefix")
    parser.add_argument("--count", type=int, default=COUNT, help="pictures of revision 1")
    parser.add_argument("--side", type=int, default=SIDE, help="pixels; NIH's have 1024")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--revision", type=int, default=1, help="which day")
    arguments = parser.parse_args()
    if min(arguments.count, arguments.revision) < 1 or arguments.side < 32:
        raise BadInput("--count and --revision start at 1, --side at 32.")
    total = arguments.count + round((arguments.revision - 1) * arguments.count * ADDED)
    return bring(open_target(arguments.output), list(plan(arguments.seed, total)), arguments.seed, arguments.side)


def plan(seed: int, total: int) -> Iterator[Sample]:
    """So many pictures, a few of each patient; more of them begin with the same ones."""
    made, patient = 0, 0
    while made < total:
        patient += 1
        rng = np.random.default_rng([seed, patient])
        for visit in range(min(int(rng.integers(1, MOST_VISITS + 1)), total - made)):
            yield Sample(patient, visit, findings_of(rng))
            made += 1


def is_test(seed: int, patient: int) -> bool:
    return bool(np.random.default_rng([seed, patient, 1]).random() < TEST_SHARE)


def bring(store: Store, samples: list[Sample], seed: int, side: int) -> dict[str, Any]:
    """Make ``store`` hold these pictures with their tables; those that are there are not drawn again."""
    keys = {_key(place, sample): sample for place, sample in enumerate(samples)}
    there = {entry.key for entry in store.entries()}
    new = {key: sample for key, sample in keys.items() if key not in there}
    with Progress(len(new), "pictures", "Drawing chests") as progress, ThreadPoolExecutor(8) as writers:
        writes = []
        for key, sample in new.items():
            content = draw(seed, sample.patient, sample.visit, sample.findings, side)
            writes.append(writers.submit(store.write, key, content))
            progress.advance()
        for write in writes:
            write.result()
    for name, text in tables(samples, seed, side).items():
        store.write(name, text.encode())
    tested = sum(is_test(seed, sample.patient) for sample in samples)
    say(f"{store.url}: {len(samples)} pictures, {len(new)} drawn.")
    return {"pictures": len(samples), "held_out": tested, "written": len(new), "url": store.url}


def findings_of(rng: np.random.Generator) -> tuple[str, ...]:
    """Return what a picture shows, by chance."""
    if rng.random() < HEALTHY:
        return ()
    count = int(rng.integers(1, MOST_FINDINGS + 1))
    return tuple(sorted(rng.choice(FINDINGS, size=count, replace=False).tolist()))


def _key(place: int, sample: Sample) -> str:
    return f"images_{place // PER_FOLDER + 1:03d}/images/{sample.name}"


def tables(samples: list[Sample], seed: int, side: int) -> dict[str, str]:
    """Return the table and the lists of the official split, by their names."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow((*HEADER, *SIZES, ""))
    for sample in samples:
        rng = np.random.default_rng([seed, sample.patient, 2])
        facts = (sample.patient, int(rng.integers(18, 90)), "MF"[int(rng.integers(2))], "PA", side, side, 0.143, 0.143)
        writer.writerow((sample.name, SEPARATOR.join(sample.findings) or NONE, sample.visit, *facts, ""))
    sides = {TRAIN_LIST: False, TEST_LIST: True}
    lists = {
        name: "".join(f"{sample.name}\n" for sample in samples if is_test(seed, sample.patient) == test)
        for name, test in sides.items()
    }
    return {TABLE: file.getvalue(), **lists}


if __name__ == "__main__":
    program.run(main)
