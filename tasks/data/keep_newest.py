"""Remove all but the newest folders in a folder of results, such as one for each run.

    python -m tasks.data.keep_newest --newest 5 /data/results/scores
    python -m tasks.data.keep_newest --newest 5 --keep v20261121t123830zc6c68f0d /data/results/parquet

The newest are those in which something was made or removed last. A folder named by ``--keep`` stays however old it is;
files, links, and folders that begin with a dot, are left alone. Stopped in the middle, it leaves nothing that could be
taken for a whole folder, and goes on when run again. A folder that does not exist yet has nothing to remove.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

from tasks.common import program
from tasks.common.cli import Flags
from tasks.common.program import BadInput
from tasks.common.progress import say
from tasks.common.run_file import RunFile

NEWEST = 5
_REMOVING = ".removing-"


def main() -> dict[str, Any]:
    arguments = _options()
    if arguments.newest < 1:
        raise BadInput(f"--newest is {arguments.newest}; it must be above 0.")
    removed = {folder: keep_newest(Path(folder), arguments.newest, arguments.keep) for folder in arguments.folders}
    return {"removed": {folder: len(names) for folder, names in removed.items()}}


def _options() -> argparse.Namespace:
    flags = Flags(__doc__)
    flags.add_argument(
        "folders",
        nargs="+",
        metavar="FOLDER",
        help="by default every folder on the run's volume of results",
        from_run=_folders_of_results,
    )
    flags.add_argument("--newest", type=int, default=NEWEST, help="how many folders stay in each")
    flags.add_argument(
        "--keep",
        action="append",
        default=[],
        metavar="NAME",
        help="stays in any case; by default what is of the run and of its dataset version",
        from_run=lambda run: [name for name in (run.run_key, run.version_id) if name],
    )
    return flags.parse()


def _folders_of_results(run: RunFile) -> list[str] | None:
    root = run.folders.get("results")
    if not root:
        return None
    return sorted(str(path) for path in Path(root).iterdir() if path.is_dir() and not path.name.startswith("."))


def keep_newest(folder: Path, newest: int, keep: list[str]) -> list[str]:
    """Names of the folders removed."""
    inside = folder.iterdir() if folder.is_dir() else ()
    there = [entry for entry in inside if entry.is_dir() and not entry.is_symlink()]
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
