"""Files that a SnapLock volume keeps are kept from clients of S3 too."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from emulator.errors import OntapError
from emulator.s3 import errors
from emulator.s3.target import Target
from emulator.snaplock import kept

if TYPE_CHECKING:
    from emulator.world import World


def require(world: World, target: Target, path: str) -> None:
    """Raises AccessDenied for a file that may be neither replaced nor removed yet."""
    if not target.volume:
        return
    try:
        kept.check_path(world, target.volume, os.path.relpath(path, target.volume_root))
    except OntapError as refused:
        raise errors.S3Error("AccessDenied", refused.message) from refused
