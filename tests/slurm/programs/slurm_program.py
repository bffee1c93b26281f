"""A program that does what it is told: each argument is one thing to do."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any


def stopped(*_: Any) -> None:
    print("checkpoint written", flush=True)
    sys.exit(0)


def main(wanted: list[str]) -> None:
    for part in wanted:
        what, _, value = part.partition("=")
        if what == "say":
            print(value)
        elif what == "sleep":
            time.sleep(float(value))
        elif what == "until":  # a file is there
            while not Path(value).exists():
                time.sleep(0.05)
        elif what == "slow":  # the process of this rank
            time.sleep(600 if os.environ["RANK"] == value else 0)
        elif what == "mark":
            with Path(value).open("a") as file:
                file.write(f"{os.environ['SLURM_JOB_ID']}\n")
        elif what == "exit":
            sys.exit(int(value))
        elif what == "use":  # mebibytes
            held = bytearray(int(value) << 20)
            time.sleep(60)
            del held
        elif what == "checkpoint":
            signal.signal(signal.SIGTERM, stopped)
        elif what == "deaf":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        elif what == "tell":
            run = os.environ.get("RUN_FILE")
            told = {name: os.environ.get(name) for name in value.split(",")}
            told["run"] = json.loads(Path(run).read_text()) if run else None
            Path(os.environ["RESULT_FILE"]).write_text(json.dumps(told))
        elif what == "sum":
            sum_of_ranks()


def sum_of_ranks() -> None:
    """Each process adds its rank; all see the sum."""
    import torch
    from torch import distributed

    distributed.init_process_group("gloo")
    value = torch.tensor([float(distributed.get_rank() + 1)])
    distributed.all_reduce(value)
    if distributed.get_rank() == 0:
        told = {"sum": value.item(), "processes": distributed.get_world_size()}
        Path(os.environ["RESULT_FILE"]).write_text(json.dumps(told))
    distributed.destroy_process_group()


main(sys.argv[1:])
