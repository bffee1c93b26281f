"""Say how many calls are new, and in how many parts they are worked on.

    CALLS_URL=http://127.0.0.1:8601 python -m tasks.calls.plan --data /data/calls --size 20
    python -m tasks.calls.plan --data /data/calls --folder /results

A call without a recording is none that can be recognised. ``parts`` of the result names the parts, such as ``0/3``, for
``tasks.calls.score``; the calls of a part are settled by the data alone, so that a part done again is the same.
"""

from __future__ import annotations

from typing import Any

from tasks.calls.work import Work, add_work
from tasks.common import program
from tasks.common.cli import Flags
from tasks.common.program import BadInput
from tasks.common.progress import say

SIZE, MOST_PARTS = 20, 64


def main() -> dict[str, Any]:
    flags = Flags(__doc__)
    add_work(flags)
    flags.add_argument("--size", type=int, default=SIZE, help="calls of a part, about")
    options = flags.parse()
    if options.size < 1:
        raise BadInput(f"--size is {options.size}; a part has at least 1 call.")
    work = Work.of(options)
    new = [call for call in work.calls if not work.is_done(call)]
    parts = min(-(-len(new) // options.size), MOST_PARTS)
    say(f"{len(new)} of {len(work.calls)} recorded calls are new; {parts} parts")
    return {"recorded": len(work.calls), "new": len(new), "parts": [f"{part}/{parts}" for part in range(parts)]}


if __name__ == "__main__":
    program.run(main)
