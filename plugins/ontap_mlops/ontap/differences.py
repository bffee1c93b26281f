"""What differs between two snapshots of a volume, or a snapshot and the volume now, file by file.

ONTAP's REST has no call that compares snapshots, so both are listed through ONTAP and compared by kind, size, time of
change and target of links.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ontap_mlops.ontap import files, snapshots
from ontap_mlops.ontap.client import Client
from ontap_mlops.ontap.files import FILE, FOLDER, LINK, Entry


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Entries as they are ``after``, in order of path; of ``removed``, as they were before. ``changed`` holds files and
    links whose content changed, and whatever became another kind of thing."""

    added: tuple[Entry, ...] = ()
    changed: tuple[Entry, ...] = ()
    removed: tuple[Entry, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)

    def __str__(self) -> str:
        return f"{_files(self.added)} added, {_files(self.changed)} changed, {_files(self.removed)} removed"

    @property
    def counts(self) -> dict[str, int]:
        """How many files and links of each."""
        return {name: _files(getattr(self, name)) for name in ("added", "changed", "removed")}

    @property
    def bytes_to_read(self) -> int:
        """Size in bytes of what was added or changed."""
        return sum(entry.size for entry in (*self.added, *self.changed) if entry.kind == FILE)


def between(client: Client, *, volume_uuid: str, before: str | None, after: str | None) -> Difference:
    """Compare two snapshots by name; None is the volume as it is now. Raises NotFound for a snapshot that is not there.

    One request a folder on either side.
    """
    for name in (before, after):
        if name is not None:
            snapshots.get(client, volume_uuid=volume_uuid, name=name)
    old = files.walk(client, volume_uuid=volume_uuid, snapshot=before)
    new = files.walk(client, volume_uuid=volume_uuid, snapshot=after)
    return compare(old, new)


def compare(before: Iterable[Entry], after: Iterable[Entry]) -> Difference:
    old, new = ({entry.path: entry for entry in entries} for entries in (before, after))
    return Difference(
        added=tuple(new[path] for path in sorted(new.keys() - old.keys())),
        changed=tuple(new[path] for path in sorted(new.keys() & old.keys()) if not _same(old[path], new[path])),
        removed=tuple(old[path] for path in sorted(old.keys() - new.keys())),
    )


def _same(old: Entry, new: Entry) -> bool:
    if old.kind != new.kind or old.kind == FOLDER:
        return old.kind == new.kind
    if old.kind == LINK:
        return old.target == new.target
    return (old.size, old.modified_at) == (new.size, new.modified_at)


def _files(entries: Iterable[Entry]) -> int:
    return sum(entry.kind != FOLDER for entry in entries)
