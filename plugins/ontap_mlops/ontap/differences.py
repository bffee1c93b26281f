"""What differs between two snapshots of a volume, or a snapshot and the volume now, file by file.

ONTAP's own comparison of snapshots (SnapDiff) is for licensed backup products, and no client of its REST interface has
it. So both are listed through ONTAP and compared by kind, size, times and target of links. Nothing says that a file is
the same where that is not certain: what may have changed counts as changed, and ``possibly`` names it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from ontap_mlops.ontap import files, snapshots
from ontap_mlops.ontap.client import Client
from ontap_mlops.ontap.files import FILE, FOLDER, LINK, Entry


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Entries as they are ``after``, in order of path; of ``removed``, as they were before. ``changed`` holds files and
    links whose content changed or may have changed, and whatever became another kind of thing; ``possibly``, the paths
    of those whose size and time are as before, and which were touched or written so late that this proves nothing."""

    added: tuple[Entry, ...] = ()
    changed: tuple[Entry, ...] = ()
    removed: tuple[Entry, ...] = ()
    possibly: frozenset[str] = field(default=frozenset())

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)

    def __str__(self) -> str:
        doubt = f" ({len(self.possibly)} of these perhaps)" if self.possibly else ""
        return f"{_files(self.added)} added, {_files(self.changed)} changed{doubt}, {_files(self.removed)} removed"

    @property
    def counts(self) -> dict[str, int]:
        """How many files and links of each."""
        return {name: _files(getattr(self, name)) for name in ("added", "changed", "removed")}

    @property
    def bytes_to_read(self) -> int:
        """Size in bytes of what was added or changed."""
        return sum(entry.size for entry in (*self.added, *self.changed) if entry.kind == FILE)

    @property
    def is_certain(self) -> bool:
        """Whether anything differs for certain."""
        return bool(self.added or self.removed) or len(self.changed) > len(self.possibly)


def between(client: Client, *, volume_uuid: str, before: str | None, after: str | None) -> Difference:
    """Compare two snapshots by name; None is the volume as it is now. Raises NotFound for a snapshot that is not there.

    One request a folder on either side.
    """
    frozen = [snapshots.get(client, volume_uuid=volume_uuid, name=name) for name in (before, after) if name is not None]
    times = [_moment(snapshot.created_at) for snapshot in frozen]
    since = None if None in times else min((time for time in times if time), default=None)
    old = files.walk(client, volume_uuid=volume_uuid, snapshot=before)
    new = files.walk(client, volume_uuid=volume_uuid, snapshot=after)
    return compare(old, new, since=since)


def compare(before: Iterable[Entry], after: Iterable[Entry], *, since: datetime | None = None) -> Difference:
    """
    :param since: when the older of the two was frozen, by ONTAP's clock; None if nobody knows.
    """
    old, new = ({entry.path: entry for entry in entries} for entries in (before, after))
    both = sorted(new.keys() & old.keys())
    certainly = {path for path in both if not _alike(old[path], new[path])}
    possibly = frozenset(p for p in both if p not in certainly and not _is_untouched(old[p], new[p], since))
    return Difference(
        added=tuple(new[path] for path in sorted(new.keys() - old.keys())),
        changed=tuple(new[path] for path in both if path in certainly or path in possibly),
        removed=tuple(old[path] for path in sorted(old.keys() - new.keys())),
        possibly=possibly,
    )


def _alike(old: Entry, new: Entry) -> bool:
    if old.kind != new.kind or old.kind == FOLDER:
        return old.kind == new.kind
    if old.kind == LINK:
        return old.target == new.target
    return (old.size, old.modified_at) == (new.size, new.modified_at)


def _is_untouched(old: Entry, new: Entry, since: datetime | None) -> bool:
    """Whether it is certain that nothing was done to a file since ``since``, and that it is the same file.

    A change sets the time, but ONTAP tells whole seconds: two changes within one second look like one. So the same time
    proves something only if it is before the second in which the older snapshot was taken, or tells less than seconds.
    """
    if old.kind != FILE:
        return True
    changed = _moment(old.changed_at)
    if changed is None or old.changed_at != new.changed_at or old.inode is None or old.inode != new.inode:
        return False
    return changed.microsecond > 0 or (since is not None and changed < since.replace(microsecond=0))


def _moment(time: str) -> datetime | None:
    try:
        return datetime.fromisoformat(time).astimezone()
    except ValueError:
        return None


def _files(entries: Iterable[Entry]) -> int:
    return sum(entry.kind != FOLDER for entry in entries)
