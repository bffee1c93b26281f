"""Make days of a click log in Criteo's format, whose best possible prediction is known.

    python -m tasks.ctr.generate --output /data/clicks --days 3 --rows 1000000
    python -m tasks.ctr.generate --output s3://lake/clicks --days 24 --rows 20000000 --seed 7

Each day is one file ``day_N``; ``truth/day_N.json`` beside it holds the AUC, accuracy and log loss that no model can
beat, with all columns and with the numeric ones alone. The same seed, day and number of rows give the same bytes. Days
that are there already are left; ``--first-day`` adds later ones. Needs the space of one day in the temporary folder
when it writes to S3.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from typing import IO, Any

from tasks.common import program
from tasks.common.data import Store, open_target
from tasks.common.program import BadInput
from tasks.common.progress import Progress
from tasks.ctr import synthetic
from tasks.ctr.placing import place
from tasks.ctr.processes import processes
from tasks.ctr.synthetic import BLOCK_ROWS, Truth, World

CLICK_RATE = 0.25
DRIFT = 0.05
VERSION = 1  # of the rows drawn for a seed


def main() -> dict[str, Any]:
    arguments = _arguments()
    if arguments.rows < 1 or arguments.days < 1 or not 0 < arguments.click_rate < 1:
        raise BadInput("--rows and --days must be above 0, and --click-rate between 0 and 1.")
    target = open_target(arguments.output)
    made, truth = [], {}
    room = 2 * arguments.processes
    with processes(arguments.processes) as pool:
        there = {entry.key for entry in target.entries()}
        for day in range(arguments.first_day, arguments.first_day + arguments.days):
            wanted = {name: getattr(arguments, name) for name in ("rows", "seed", "click_rate", "drift")}
            truth[f"day_{day}"], new = _bring(target, pool, room, there, day, {**wanted, "version": VERSION})
            made += [day] if new else []
    shown = {name: truth[name] for name in list(truth)[-3:]}
    return {"days": len(truth), "made": len(made), "rows": arguments.rows * len(truth), "truth": shown}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", required=True, help="folder or s3://bucket/prefix")
    parser.add_argument("--days", type=int, default=1)
    parser.add_argument("--first-day", type=int, default=0)
    parser.add_argument("--rows", type=int, default=1_000_000, help="of each day")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--click-rate", type=float, default=CLICK_RATE, help="of day 0")
    parser.add_argument("--drift", type=float, default=DRIFT, help="how far effects wander in a day; 0: not at all")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    return parser.parse_args()


def _bring(
    target: Store, pool: Executor, room: int, there: set[str], day: int, wanted: dict[str, Any]
) -> tuple[dict[str, Any], bool]:
    """The day's truth, and whether it had to be made. The truth is written last: where it is, the day is whole."""
    name = f"truth/day_{day}.json"
    if name in there and f"day_{day}" in there:
        told = json.loads(target.read(name))
        if told["made_with"] != wanted:
            raise BadInput(f"day_{day} in {target.url} was made with other settings; name another place, or remove it.")
        return told["truth"], False
    of = synthetic.world(wanted["seed"], day, wanted["click_rate"], wanted["drift"])
    with Progress(wanted["rows"], "rows", f"Making day_{day}") as progress:
        truth = place(target, f"day_{day}", lambda file: _stream(file, pool, room, of, wanted["rows"], progress))
    told = {"made_with": wanted, "truth": truth.figures()}
    target.write(name, json.dumps(told, indent=2).encode())
    return told["truth"], True


def _stream(file: IO[bytes], pool: Executor, room: int, of: World, rows: int, progress: Progress) -> Truth:
    total: Truth | None = None
    for text, truth in _blocks(pool, room, of, rows):
        file.write(text)
        total = truth if total is None else total + truth
        progress.advance(truth.rows)
    assert total is not None
    return total


def _blocks(pool: Executor, room: int, of: World, rows: int) -> Iterator[tuple[bytes, Truth]]:
    """In order; at most ``room`` are under way or waiting, however long the day is."""
    waiting: collections.deque[Future[tuple[bytes, Truth]]] = collections.deque()
    for number, start in enumerate(range(0, rows, BLOCK_ROWS)):
        waiting.append(pool.submit(_block, of, number, min(BLOCK_ROWS, rows - start)))
        if len(waiting) >= room:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _block(of: World, number: int, rows: int) -> tuple[bytes, Truth]:
    text, truth = synthetic.block(of, number, rows)
    return bytes(text), truth


if __name__ == "__main__":
    program.run(main)
