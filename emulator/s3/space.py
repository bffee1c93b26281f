"""Room in a volume: no object may take it past its size.

Measuring a volume means reading its whole tree, so a measurement is reused for a while, with what S3 itself wrote since
added on; and nobody is refused on the word of an old one.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path

from emulator import trees
from emulator.s3 import errors, keys
from emulator.s3.target import Target

_MAX_AGE_S = 2.0
_COST_FACTOR = 20  # a volume that takes 1 s to measure is measured every 20 s at most


@dataclass
class _Measured:
    used: int
    valid_until: float


class Space:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, _Measured] = {}

    def require(self, target: Target, grows_by: int) -> None:
        """Raises QuotaExceeded when the volume has no room for that many more bytes."""
        if grows_by <= 0 or self._used(target.volume_root, fresh=False) + grows_by <= target.limit:
            return
        used = self._used(target.volume_root, fresh=True)
        if used + grows_by > target.limit:
            name = target.volume.get("name") or target.bucket["name"]
            raise errors.S3Error(
                "QuotaExceeded",
                f"No space left: {name!r} has {target.limit} bytes, {used} of them used, and {grows_by} more are "
                "needed; make it larger or remove objects.",
            )

    def note(self, volume_root: str, grew_by: int) -> None:
        with self._lock:
            if volume_root in self._known:
                self._known[volume_root].used += grew_by

    def _used(self, volume_root: str, *, fresh: bool) -> int:
        with self._lock:
            known = self._known.get(volume_root)
            if known and not fresh and time.monotonic() < known.valid_until:
                return known.used
            start = time.thread_time()
            used = trees.used_bytes(Path(volume_root), frozenset({keys.HIDDEN}))
            took = time.thread_time() - start
            self._known[volume_root] = _Measured(used, time.monotonic() + max(_MAX_AGE_S, took * _COST_FACTOR))
            return used
