"""Make sample photographs of tyres, as a data lake would hold them.

    python -m tasks.tyre.samples --output /tmp/tyre --count 600
    python -m tasks.tyre.samples --output s3://lake/tyre                # 1,856 images, as many as the walkthrough's
    python -m tasks.tyre.samples --output s3://lake/tyre --revision 2   # the next day: some replaced, added, removed

The same seed, count and revision give the same bytes. Only what differs from an earlier run is drawn and written.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import re
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.common import program
from tasks.common.data import Store, open_target
from tasks.common.program import BadInput
from tasks.common.progress import Progress, say
from tasks.tyre.drawing import draw

COUNT = 1856
DEFECTIVE_SHARE = 1028 / 1856
# What one production day does to a data set, as shares of it.
REPLACED, REMOVED, ADDED = 0.04, 0.01, 0.03
RECORD = ".mlops/samples.json"  # what an earlier run made; programs that list data pass over this folder
_FATE = 1  # keeps what happens to an image apart from the numbers it is drawn with
_OURS = re.compile(r"(good|defective)/tyre_\d{5}\.(png|jpg)")


@dataclass(frozen=True)
class Sample:
    """``generation`` is the revision that last replaced the image."""

    seed: int
    index: int
    generation: int
    defective: bool

    @property
    def stem(self) -> str:
        return f"{'defective' if self.defective else 'good'}/tyre_{self.index:05d}"

    @property
    def identity(self) -> str:
        return f"{self.seed}:{self.index}:{self.generation}"


def main() -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", required=True, help="folder or s3://bucket/prefix")
    parser.add_argument("--count", type=int, default=COUNT, help="images of revision 1")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--revision", type=int, default=1, help="which production day")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    if arguments.count < 1 or arguments.revision < 1:
        raise BadInput("--count and --revision start at 1.")
    samples = list(plan(arguments.count, arguments.seed, arguments.revision))
    return bring(open_target(arguments.output), samples, arguments.processes)


def plan(count: int, seed: int, revision: int) -> Iterator[Sample]:
    """Return the images of one revision. An image once removed stays removed; those added stay until removed."""
    total = count + (revision - 1) * round(count * ADDED)
    for index in range(total):
        born = 1 if index < count else 2 + (index - count) // max(1, round(count * ADDED))
        generation, removed = born, False
        for day in range(born + 1, revision + 1):
            fate = np.random.default_rng([seed, index, day, _FATE]).random()
            removed = removed or fate < REMOVED
            generation = day if REMOVED <= fate < REMOVED + REPLACED else generation
        if not removed:
            defective = np.random.default_rng([seed, index]).random() < DEFECTIVE_SHARE
            yield Sample(seed, index, generation, bool(defective))


def bring(store: Store, samples: list[Sample], processes: int) -> dict[str, Any]:
    """Make ``store`` hold these samples, whatever an earlier run, even a broken one, left there."""
    present = {entry.key for entry in store.entries() if _OURS.fullmatch(entry.key)}
    known = _read_record(store)
    kept = {s: key for s in samples if (key := known.get(s.identity)) in present and key is not None}
    new = [sample for sample in samples if sample not in kept]
    keys = {**kept, **_write(store, new, processes)}
    stale = present - set(keys.values())
    for key in stale:
        store.delete(key)
    record = {sample.identity: key for sample, key in keys.items()}
    store.write(RECORD, json.dumps(record, sort_keys=True).encode())
    say(f"{store.url}: {len(samples)} images, {len(new)} written, {len(stale)} removed.")
    defective = sum(sample.defective for sample in samples)
    counts = {"images": len(samples), "defective": defective, "good": len(samples) - defective}
    return {**counts, "written": len(new), "removed": len(stale), "url": store.url}


def _read_record(store: Store) -> dict[str, str]:
    try:
        return json.loads(store.read(RECORD))
    except (BadInput, ValueError):
        return {}  # no earlier run


def _write(store: Store, samples: list[Sample], processes: int) -> dict[Sample, str]:
    """Draw in processes, store in threads; returns the key of each."""
    if not samples:
        return {}
    # Fresh processes rather than forked ones: an S3 client's threads and locks must not be copied.
    fresh = multiprocessing.get_context("spawn")
    keys = {}
    with (
        Progress(len(samples), "images", "Drawing tyres") as progress,
        ThreadPoolExecutor(8) as writers,
        ProcessPoolExecutor(min(processes, len(samples)), mp_context=fresh) as pool,
    ):
        writes = []
        for sample, content in zip(samples, pool.map(_draw, samples, chunksize=8), strict=True):
            keys[sample] = sample.stem + (".png" if content.startswith(b"\x89PNG") else ".jpg")
            writes.append(writers.submit(store.write, keys[sample], content))
            progress.advance()
        for write in writes:
            write.result()
    return keys


def _draw(sample: Sample) -> bytes:
    return draw(sample.seed, sample.index, sample.generation, defective=sample.defective)


if __name__ == "__main__":
    program.run(main)
