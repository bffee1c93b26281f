"""Where a request to a bucket leads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from emulator.s3 import flat, keys

Record = dict[str, Any]


@dataclass(frozen=True)
class Target:
    """A bucket's directory. `volume_root` is a real path, `root` lies in it; `limit` is the room for files in bytes."""

    bucket: Record
    root: str
    volume_root: str
    volume: Record
    limit: int

    @property
    def is_nas(self) -> bool:
        return self.bucket["type"] == "nas"

    def path_of(self, key: str) -> str | None:
        """The file that a key names, or None where there cannot be one."""
        if not self.is_nas:
            return flat.path_of(self.root, key)
        return keys.path_of(self.root, self.volume_root, key)

    def writable_path_of(self, key: str) -> str:
        """As path_of, for a key about to be written or removed; raises S3Error saying what is wrong with it."""
        if not self.is_nas:
            return flat.writable_path_of(self.root, key)
        return keys.writable_path_of(self.root, self.volume_root, key)

    def is_folder(self, key: str) -> bool:
        """Whether a key names a directory rather than an object; buckets of type s3 have no directories."""
        return self.is_nas and keys.is_folder_key(key)
