"""Runs one program as several processes of this machine by torchrun, and says in one sentence how they ended.

    python _local_processes.py --nproc-per-node=2 PROGRAM [arguments]

Started by path, with the interpreter of the place and nothing of this package. Where a process is lost, all begin again
together, from what the program keeps, as often as RESTARTS says; bad input (exit code 2) and a stop are never repeated.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Any

RESTARTS = 2
BAD_INPUT = 2
STOPPED = 128 + signal.SIGTERM


def main(arguments: list[str]) -> int:
    try:
        from torch.distributed.elastic.multiprocessing.api import SignalException
        from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
        from torch.distributed.run import parse_args, run
    except ImportError as error:
        say(f"Several processes need torchrun, and {sys.executable} has no PyTorch ({error}); install it there.")
        return BAD_INPUT
    asked, lost = ["--standalone", "--max-restarts=0", arguments[0], "-m", *arguments[1:]], ""
    processes = int(arguments[0].partition("=")[2])
    for again in range(RESTARTS + 1):
        try:
            run(parse_args(asked))
        except SignalException as stop:
            say(f"All {processes} processes were stopped by {signal.Signals(stop.sigval).name}.")
            return 128 + int(stop.sigval)
        except ChildFailedError as error:
            failure = first_cause(error)
            if failure.exitcode == BAD_INPUT:
                say(failure.message)
                return BAD_INPUT
            if failure.exitcode == STOPPED:
                say(f"All {processes} processes have stopped.")
                return STOPPED
            lost = described(failure, processes)
            if again < RESTARTS:
                say(f"{lost} All begin again ({again + 1} of {RESTARTS} times).")
        else:
            return 0
    say(f"{lost} It is given up after {RESTARTS} new beginnings; run it again to go on from its last checkpoint.")
    return 1


def first_cause(error: Any) -> Any:
    """The failure that the others followed from: of bad input, or of a process that was killed, before any other."""
    failures = sorted(error.failures.values(), key=lambda failure: failure.timestamp)
    told = [each for each in failures if each.exitcode == BAD_INPUT]
    killed = [each for each in failures if each.exitcode < 0 and each.exitcode != -signal.SIGTERM]
    return (told or killed or failures)[0]


def described(failure: Any, processes: int) -> str:
    which = f"Process {failure.local_rank} of {processes}"
    if failure.exitcode < 0:
        name = signal.Signals(-failure.exitcode).name
        return f"{which} was killed by {name}{' (often for want of memory)' if name == 'SIGKILL' else ''}."
    said = failure.message if failure.error_file_data.get("message") else ""
    return f"{which} failed with exit code {failure.exitcode}" + (f": {said}" if said else ".")


def say(sentence: str) -> None:
    print(" ".join(sentence.split()), file=sys.stderr, flush=True)


if __name__ == "__main__":
    # Beside this file lie modules of other kinds, which bear the names of libraries.
    sys.path[:] = [path for path in sys.path if Path(path).resolve() != Path(__file__).resolve().parent]
    sys.exit(main(sys.argv[1:]))
