"""Make a day in which something has drifted, to see it found.

    python -m tasks.drift.plant --output /data/clicks --day 9 --kind inputs
    python -m tasks.drift.plant --output s3://lake/clicks --day 9 --kind relation --rows 100000
    python -m tasks.drift.plant --system chest --output s3://lake/chest --day 9 --kind relation

A day of clicks is like one of ``tasks.ctr.generate`` of the same seed. With ``inputs`` some columns have other values,
and a click depends on them as before; with ``relation`` the columns are as before, and some of them do the opposite to
a click; with ``nothing`` it is a day like any other. Days of other systems are as ``streams`` says, and are added to
what the output holds. The same flags give the same bytes.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from tasks.common import program
from tasks.common.cli import Flags
from tasks.common.data import Store, open_target
from tasks.common.program import BadInput
from tasks.ctr import generate, synthetic
from tasks.ctr.synthetic import BLOCK_ROWS, World
from tasks.drift import streams
from tasks.drift.streams import INPUTS, KINDS, RELATION, Day

CLICKS, ROWS = "ctr", 100_000
SYSTEMS = sorted([CLICKS, *streams.DAYS])
MOVED = slice(3, 9)  # of the numeric columns: I4 to I9
TIMES = 2.0  # the median of a moved column becomes so much greater


def main() -> dict[str, Any]:
    flags = Flags(__doc__)
    flags.add_argument("--system", choices=SYSTEMS, default=CLICKS, help="whose data it is")
    flags.add_argument("--output", required=True, help="folder or s3://bucket/prefix")
    flags.add_argument("--day", type=int, required=True, help="number of the day")
    flags.add_argument("--kind", choices=KINDS, required=True, help="what has drifted")
    flags.add_argument("--rows", type=int, default=0, help="clicks, pictures, questions or calls; 0: as many as usual")
    flags.add_argument("--seed", type=int, default=1)
    options = flags.parse()
    if min(options.rows, options.day) < 0:
        raise BadInput("--rows and --day must be 0 or more.")
    rows = options.rows or streams.COUNTS.get(options.system, ROWS)
    make(options.system, open_target(options.output), Day(options.kind, options.day, rows, options.seed))
    return {"day": options.day, "kind": options.kind, "rows": rows, "output": options.output}


def make(system: str, store: Store, planted: Day) -> None:
    """Add a day to what a folder or bucket holds of a system."""
    if system == CLICKS:
        content = day(planted.kind, planted.number, planted.count, planted.seed)
        store.write(f"day_{planted.number}", content)
    else:
        streams.DAYS[system](store, planted)


def day(kind: str, number: int, rows: int, seed: int) -> bytes:
    """Return the rows of a day as text."""
    planted = world(kind, number, seed)
    starts = range(0, rows, BLOCK_ROWS)
    blocks = [synthetic.block(planted, place, min(BLOCK_ROWS, rows - start))[0] for place, start in enumerate(starts)]
    return b"".join(bytes(block) for block in blocks)


def world(kind: str, number: int, seed: int) -> World:
    """Return what decides a day's rows. Without a drift planted, effects and columns are those of every day."""
    plain = synthetic.world(seed, number, generate.CLICK_RATE, drift=0.0)
    if kind == INPUTS:
        medians = plain.medians.copy()
        medians[MOVED] *= TIMES
        return dataclasses.replace(plain, medians=medians)
    if kind == RELATION:
        effects = plain.effects.copy()
        effects[MOVED] *= -1
        return dataclasses.replace(plain, effects=np.ascontiguousarray(effects))
    return plain


if __name__ == "__main__":
    program.run(main)
