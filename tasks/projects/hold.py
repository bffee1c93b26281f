"""Hold what the scheduler has given, GPUs above all, until the time is over or somebody ends it.

    python -m tasks.projects.hold --seconds 600

For finding out what a scheduler does with many workloads, without any work in them.
"""

from __future__ import annotations

import os
import time
from typing import Any

from tasks.common import program
from tasks.common.cli import Flags
from tasks.common.progress import say

DEVICES = ("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")


def main() -> dict[str, Any]:
    flags = Flags(__doc__)
    flags.add_argument("--seconds", type=float, default=600.0, help="after which it ends by itself")
    options = flags.parse()
    devices = next((os.environ[name] for name in DEVICES if os.environ.get(name)), "none")
    say(f"holding GPUs {devices} for {options.seconds:g} s")
    time.sleep(options.seconds)
    return {"devices": devices, "seconds": options.seconds}


if __name__ == "__main__":
    program.run(main)
