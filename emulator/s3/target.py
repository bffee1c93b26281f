"""Where a request to a bucket leads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Record = dict[str, Any]


@dataclass(frozen=True)
class Target:
    """A bucket's directory. `volume_root` is a real path, `root` lies in it; `limit` is the volume's size in bytes."""

    bucket: Record
    root: str
    volume_root: str
    volume: Record
    limit: int

    @property
    def is_nas(self) -> bool:
        return self.bucket["type"] == "nas"
