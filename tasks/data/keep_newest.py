"""Remove all but the newest folders in a folder of results, such as one for each run.

    python -m tasks.data.keep_newest --newest 5 /data/results/scores
    python -m tasks.data.keep_newest --newest 5 --keep v20261121t123830zc6c68f0d /data/results/parquet

The newest are those in which something was made or removed last. A folder named by ``--keep`` stays however old it is;
files, and folders that begin with a dot, are left alone. Stopped in the middle, it leaves nothing that could be taken
for a whole folder, and goes on when run again. A folder that does not exist yet has nothing to remove.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

from tasks.common import program
from tasks.common.program import BadInput
from tasks.common.progress import say

_REMOVING = ".removing-"


def main() -> dict[str, Any]:
    arguments = _arguments()
    if arguments.newest < 1:
        raise BadInput(f"--newest is {arguments.newest}; it must be above 0.")
    removed = {folder: keep_newest(Path(folder), arguments.newest, arguments.keep) for folder in arguments.folders}
    return {"removed": {folder: len(names) for folder, names in removed.items()}}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", metavar="FOLDER")
    parser.add_argument("--newest", type=int, required=True, help="how many folders stay in each")
    parser.add_argument("--keep", action="append", default=[], metavar="NAME", help="stays in any case")
    return parser.parse_args()


def keep_newest(folder: Path, newest: int, keep: list[str]) -> list[str]:
    """Names of the folders removed."""
    there = [entry for entry in folder.iterdir() if entry.is_dir()] if folder.is_dir() else []
    for entry in there:
        if entry.name.startswith(_REMOVING):  # an earlier try was stopped
            shutil.rmtree(entry)
    whole = [entry for entry in there if not entry.name.startswith(".")]
    old = sorted(whole, key=lambda entry: (entry.stat().st_mtime_ns, entry.name), reverse=True)[newest:]
    removed = [entry.name for entry in old if entry.name not in keep]
    for name in removed:
        shutil.rmtree((folder / name).rename(folder / f"{_REMOVING}{name}"))
    say(f"{folder}: {len(removed)} of {len(whole)} folders removed{': ' if removed else ''}{', '.join(removed[:5])}")
    return removed


if __name__ == "__main__":
    program.run(main)
