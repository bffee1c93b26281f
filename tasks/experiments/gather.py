"""Bring what a run has left in its workspace to the volume of its experiment, with the versions of the code.

    python -m tasks.experiments.gather --source /mnt/workspace --target /mnt/experiment

The target is a clone of the run's dataset version, so that the data is there already. It gets the run's folder (model,
checkpoint, logs) in the same place as in the workspace, and ``.mlops/experiment.json``: the run's record, and every
installed package with its version.
"""

from __future__ import annotations

import json
import platform
import shutil
from importlib import metadata
from pathlib import Path
from typing import Any

from tasks.common import program
from tasks.common.cli import Flags
from tasks.common.program import BadInput
from tasks.common.progress import say
from tasks.common.result import write_whole
from tasks.common.run_file import RUN_FOLDER

RECORD = ".mlops/experiment.json"


def main() -> dict[str, Any]:
    flags = Flags(__doc__)
    flags.add_argument("--source", required=True, help="workspace", from_run=lambda run: run.folders.get("workspace"))
    flags.add_argument("--target", required=True, help="volume", from_run=lambda run: run.folders.get("experiment"))
    options = flags.parse()
    source, target = Path(options.source), Path(options.target)
    left = source / RUN_FOLDER
    if not left.is_dir():
        raise BadInput(f"There is no {left}: the run's programs have left nothing to keep.")
    if not target.is_dir():
        raise BadInput(f"The volume of the experiment is not there: {target} is no folder.")
    shutil.copytree(left, target / RUN_FOLDER, dirs_exist_ok=True)
    packages = {each.metadata["Name"]: each.version for each in metadata.distributions() if each.metadata["Name"]}
    record = {
        "schema": 1,
        "run": dict(options.run.run) if options.run else None,
        "python": platform.python_version(),
        "packages": dict(sorted(packages.items())),
    }
    write_whole(target / RECORD, json.dumps(record, indent=1, sort_keys=True).encode())
    files = [path for path in (target / RUN_FOLDER).rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    say(f"{target}: {len(files)} files of the run kept, {size / 1e6:.1f} MB, and {len(packages)} versions of packages")
    return {"files": len(files), "bytes": size, "packages": len(packages)}


if __name__ == "__main__":
    program.run(main)
