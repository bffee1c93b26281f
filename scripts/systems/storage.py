"""Storage proof: an ONTAP volume, this machine's own disk and a bucket, measured as training uses them."""

from __future__ import annotations

import argparse
import shutil
from typing import TYPE_CHECKING, Any

from scripts import lake
from scripts.systems import text
from scripts.systems.system import System

if TYPE_CHECKING:
    from scripts.services import Stack

# Of a size that shows the way in seconds; the form's own are for storage that is to be judged.
QUICK = {"size_mib": 128, "seconds": 2, "files": 300, "pictures": 128, "samples_per_s": 500}


class Storage(System):
    name = "storage"
    number = 12
    train_dag = "storage_proof"
    told_by = "report"
    steps = "measure each path in turn, then all side by side and over time"

    def check(self, options: argparse.Namespace) -> None:
        if shutil.which("fio") is None:
            raise SystemExit("fio was not found; install it, on Debian with `apt-get install fio`.")

    def fill_lake(self, stack: Stack, day: int, options: argparse.Namespace) -> dict[str, Any]:
        """Make the bucket that is measured; the measurement brings its own files."""
        lake.bucket(stack)
        return {"bucket": lake.BUCKET}

    def conf(self, stack: Stack) -> dict[str, Any]:
        return {"paths": ["volume:storage_proof", str(stack.layout.local), f"s3://{lake.BUCKET}/proof"], **QUICK}

    def text(self, facts: dict[str, Any]) -> str:
        return text.joined(_measured(facts), _fed(facts), text.links(facts))


def _measured(facts: dict[str, Any]) -> list[str]:
    paths = facts["paths"]
    lines = [f"  {each['path']}" for each in paths]
    for name in dict.fromkeys(name for each in paths for name in each["figures"]):
        found = [each["figures"].get(name) for each in paths]
        cells = [f"{'-':>12}" if figure is None else f"{figure:>12,.1f}" for figure in found]
        lines.append(f"  {name:<32}{''.join(cells)}")
    return ["Paths (MB/s; operations a second where no bytes move; share of time for accelerators)", *lines]


def _fed(facts: dict[str, Any]) -> list[str]:
    lines = [f"  {training:<58}" + "".join(f"{told:>20}" for told in cells) for training, _, *cells in facts["feeds"]]
    return ["GPUs that each path feeds, by its sequential read", *lines]


SYSTEM = Storage()
