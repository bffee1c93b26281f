"""Tree quotas hold for objects as they do for files: no write takes a qtree past its hard limit."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from emulator import trees
from emulator.quotas import state
from emulator.s3 import errors
from emulator.s3.target import Target

if TYPE_CHECKING:
    from pathlib import Path

    from emulator.world import World


def require(world: World, target: Target, path: str, grows_by: int, *, new: bool) -> None:
    """Raises QuotaExceeded when the qtree that a path lies in has no room for so many more bytes, or for a file."""
    if not target.volume:
        return
    qtree = os.path.relpath(path, target.volume_root).split("/")[0]
    rule = state.enforced(world, target.volume, qtree)
    if rule is None:
        return
    folder: Path = world.dataplane.data_dir(target.volume["uuid"]) / qtree
    size, files = trees.measured(folder) if folder.is_dir() else (0, 0)
    for kind, after, grows in (("space", size + grows_by, grows_by > 0), ("files", files + new, new)):
        hard = rule["limits"].get(f"{kind}.hard_limit")
        if hard is not None and grows and after > hard:
            raise errors.S3Error(
                "QuotaExceeded",
                f"Qtree {qtree!r} of volume {target.volume['name']!r} may have {hard} "
                f"{'bytes' if kind == 'space' else 'files'} and would have {after}.",
            )
