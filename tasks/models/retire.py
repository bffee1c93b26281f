"""Remove the folders of retired model versions from the model volume.

    python -m tasks.models.retire --models /models --folders r20261121t123830zc6c68f0d

Only folders at the top of the volume that hold a published model are removed. Stopped in the middle, it leaves nothing
that could be taken for a whole model, and goes on when run again; a folder already gone is no error.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from tasks.common import program
from tasks.common.cli import Flags
from tasks.common.model_folder import DESCRIPTION
from tasks.common.program import BadInput
from tasks.common.progress import say

_REMOVING = ".removing-"


def main() -> dict[str, Any]:
    flags = Flags(__doc__)
    flags.add_argument(
        "--models", required=True, help="the model volume", from_run=lambda run: run.folders.get("models")
    )
    flags.add_argument("--folders", required=True, metavar="NAME,...", help="at the top of the volume")
    options = flags.parse()
    root = Path(options.models)
    for left in root.glob(f"{_REMOVING}*"):  # an earlier try was stopped
        shutil.rmtree(left)
    removed = [name for name in options.folders.split(",") if retire(root, name)]
    say(f"{root}: {len(removed)} folders of retired versions removed")
    return {"removed": removed}


def retire(root: Path, name: str) -> bool:
    """False when it is gone already. Raises BadInput for what is no model's folder at the top of the volume."""
    folder = root / name
    if Path(name).name != name or name.startswith("."):
        raise BadInput(f"{name!r} is no folder at the top of {root}; nothing is removed.")
    if not folder.exists():
        return False
    if not (folder / DESCRIPTION).is_file():
        raise BadInput(f"{folder} holds no {DESCRIPTION}, so it is no model's folder; remove it by hand if it may go.")
    shutil.rmtree(folder.rename(root / f"{_REMOVING}{name}"))
    return True


if __name__ == "__main__":
    program.run(main)
