"""Make road scenes in TuSimple's format, as a data lake would hold them.

    python -m tasks.lane.samples --output /tmp/lanes --count 200
    python -m tasks.lane.samples --output s3://lake/lanes --count 3626 --width 1280     # as many and as large
    python -m tasks.lane.samples --output s3://lake/lanes --revision 2                  # the next day: more scenes

``clips/<day>/<number>/20.jpg`` and a label file for each day. The same seed, count, width and revision give the same
bytes; days that are there stay as they are.
"""

from __future__ import annotations

import argparse
import collections
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tasks.common import program
from tasks.common.data import Store, open_target
from tasks.common.program import BadInput
from tasks.common.progress import Progress, say
from tasks.lane.drawing import heights_of, scene

COUNT, ADDED = 200, 0.2
"""Scenes of the first day, and those of each later one as a share of them."""
WIDTH = 320
"""Of a picture; its height is nine sixteenths of it."""
WRITERS = 8


def main() -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", required=True, help="folder or s3://bucket/prefix")
    parser.add_argument("--count", type=int, default=COUNT, help="scenes of revision 1")
    parser.add_argument("--width", type=int, default=WIDTH, help="of a picture, in pixels; TuSimple's are 1280 wide")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--revision", type=int, default=1, help="which day; every day brings new scenes")
    options = parser.parse_args()
    if options.count < 1 or options.revision < 1:
        raise BadInput("--count and --revision start at 1.")
    if not 64 <= options.width <= 3840:
        raise BadInput(f"--width is {options.width}; it must be from 64 to 3840 pixels.")
    return bring(open_target(options.output), options.count, options.width, options.seed, options.revision)


def bring(store: Store, count: int, width: int, seed: int = 1, revision: int = 1) -> dict[str, Any]:
    """Make ``store`` hold the scenes of all days up to the revision."""
    there = {entry.key for entry in store.entries()}
    size, known = (width, round(width * 9 / 16)), collections.Counter[str]()
    written = 0
    for day, first, last in days(count, revision):
        name = f"label_data_{day}.json"
        if name in there:
            continue
        lines = _draw(store, day, range(first, last), seed, size, known)
        store.write(name, "".join(f"{json.dumps(line)}\n" for line in lines).encode())  # last: then the day is whole
        written += last - first
    scenes = sum(last - first for _, first, last in days(count, revision))
    say(f"{store.url}: {scenes} scenes, {written} written ({', '.join(f'{n} {what}' for what, n in known.items())}).")
    return {"scenes": scenes, "written": written, "days": revision, "url": store.url, **known}


def days(count: int, revision: int) -> list[tuple[str, int, int]]:
    """Name of each day with its first scene and the one after its last."""
    more = max(1, round(count * ADDED))
    edges = [0, *(count + day * more for day in range(revision))]
    return [(f"day{day:02d}", *edges[day - 1 : day + 1]) for day in range(1, revision + 1)]  # type: ignore[misc]


def _draw(
    store: Store, day: str, indices: range, seed: int, size: tuple[int, int], known: collections.Counter[str]
) -> list[dict[str, Any]]:
    heights = [int(y) for y in heights_of(size[1])]

    def make(index: int) -> dict[str, Any]:
        picture, lanes, told = scene(seed, index, size)
        key = f"clips/{day}/{index:05d}/20.jpg"
        store.write(key, picture)
        return {"lanes": lanes, "h_samples": heights, "raw_file": key, "scene": told}

    lines = []
    with Progress(len(indices), "scenes", f"Drawing {day}") as progress, ThreadPoolExecutor(WRITERS) as pool:
        for line in pool.map(make, indices):
            lines.append(line)
            told = line["scene"]
            known.update({told["weather"]: 1, "by night": told["night"], "hidden in part": told["hidden"]})
            progress.advance()
    return lines


if __name__ == "__main__":
    program.run(main)
