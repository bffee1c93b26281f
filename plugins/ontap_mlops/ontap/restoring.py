"""A volume put back to a snapshot without losing anything: file by file, with a snapshot of how it was before.

ONTAP's own restore of a volume is one step, but drops every newer snapshot, among them one taken just before. So what
differs is copied out of the snapshot instead, which shares its blocks: newer snapshots stay, and going back is the same
again with the snapshot that this leaves. ONTAP's own is ``snapshots.restore``.

Who restores a volume holds a lease on it, which is that very snapshot. So two cannot do it at once, and one that was
killed in the middle can go on, or be gone back from.
"""

from __future__ import annotations

from dataclasses import dataclass

from ontap_mlops.ontap import differences, files, leases, snapshots
from ontap_mlops.ontap.client import Client
from ontap_mlops.ontap.differences import Difference
from ontap_mlops.ontap.errors import InUse, InvalidRequest, NotFound
from ontap_mlops.ontap.files import FILE, FOLDER, LINK, Entry
from ontap_mlops.ontap.marks import mark
from ontap_mlops.ontap.snapshots import Snapshot

LEASE = "mlops_restoring"
_PREFIX = "mlops_before_"


@dataclass(frozen=True, kw_only=True)
class Restored:
    """``safety`` is the snapshot of how the volume was before; None when nothing differed."""

    snapshot: Snapshot
    safety: str | None
    difference: Difference


def begin(client: Client, *, volume_uuid: str, volume: str, owner: str) -> None:
    """Take the volume for a restore. Raises InUse naming who restores it now.

    :param owner: run key, the same on every try.
    """
    lease = leases.take(client, volume_uuid=volume_uuid, name=LEASE, owner=owner)
    if lease.owner != owner:
        raise InUse(
            f"Volume {volume!r} is being restored by {lease.owner} since {lease.since}, not by {owner}. Wait for it; "
            f"if that run is over, remove its snapshot {LEASE!r}, which holds the volume as it was before."
        )


def to_snapshot(client: Client, *, volume_uuid: str, volume: str, snapshot: str, owner: str) -> Restored:
    """Put the live files back to a snapshot and keep every other snapshot. A retry goes on where the first try ended.

    Raises InUse while another run restores the volume, and InvalidRequest, with nothing changed, for what ONTAP cannot
    copy out of a snapshot.
    """
    wanted = snapshots.get(client, volume_uuid=volume_uuid, name=snapshot)
    begin(client, volume_uuid=volume_uuid, volume=volume, owner=owner)
    # What must come is "added" or "changed", seen from how things are now.
    difference = differences.between(client, volume_uuid=volume_uuid, before=None, after=snapshot)
    _check(volume, snapshot, difference)
    _apply(client, volume_uuid, snapshot, difference)
    if _is_own_doing(client, volume_uuid, snapshot, owner, difference):
        changed = False
    else:
        changed = bool(difference) or _differs_from_lease(client, volume_uuid)
    safety = _end(client, volume_uuid, snapshot, owner, changed=changed)
    return Restored(snapshot=wanted, safety=safety, difference=difference)


def newer_than(client: Client, *, volume_uuid: str, snapshot: str) -> list[Snapshot]:
    """Return the snapshots that ONTAP's own restore to this one would drop, oldest first, but for a restore's lease."""
    there = [s for s in snapshots.list_snapshots(client, volume_uuid=volume_uuid) if s.name != LEASE]
    position = next((i for i, found in enumerate(there) if found.name == snapshot), None)
    if position is None:
        raise NotFound(f"Volume {volume_uuid} has no snapshot {snapshot!r}. Check the name; it may have been removed.")
    return there[position + 1 :]


def in_one_step(
    client: Client, *, volume_uuid: str, volume: str, snapshot: str, owner: str, discard_newer: bool = False
) -> Snapshot:
    """Let ONTAP restore the whole volume: what was written since is lost, and newer snapshots with it.

    Raises InvalidRequest, with nothing changed, when there are newer snapshots that were not given up.
    """
    newer = [found.name for found in newer_than(client, volume_uuid=volume_uuid, snapshot=snapshot)]
    if newer and not discard_newer:
        raise InvalidRequest(
            f"Volume {volume!r} was not restored to snapshot {snapshot!r}: {len(newer)} newer snapshots would be lost "
            f"({', '.join(newer[:5])}{', ...' if len(newer) > 5 else ''}). Restore with safety, which keeps them, work "
            "on a clone instead, or set discard_newer."
        )
    # The lease is newer than the snapshot, so ONTAP drops it in the same step that ends what it is for.
    begin(client, volume_uuid=volume_uuid, volume=volume, owner=owner)
    return snapshots.restore(client, volume_uuid=volume_uuid, name=snapshot)


def safety_name(owner: str) -> str:
    """Name of the snapshot that a restore of this run leaves."""
    return f"{_PREFIX}{owner}"


def is_safety(snapshot: Snapshot) -> bool:
    return snapshot.name.startswith(_PREFIX) and snapshot.comment.startswith(mark("before"))


def _check(volume: str, snapshot: str, difference: Difference) -> None:
    odd = [e.path for e in (*difference.added, *difference.changed) if e.kind not in (FILE, FOLDER, LINK)]
    if odd:
        raise InvalidRequest(
            f"Volume {volume!r} was not restored to snapshot {snapshot!r}: {odd[0]!r} is neither file, folder nor "
            "link, and ONTAP cannot copy it out of a snapshot. Restore the whole volume at once instead (safety off)."
        )


def _apply(client: Client, volume_uuid: str, snapshot: str, difference: Difference) -> None:
    # Shorter paths first, so that a folder goes with all that is in it.
    gone: list[str] = []
    for entry in (*difference.removed, *_turned(client, volume_uuid, difference)):
        if not any(entry.path.startswith(f"{folder}/") for folder in gone):
            files.delete(client, volume_uuid=volume_uuid, path=entry.path, recurse=entry.kind == FOLDER)
        if entry.kind == FOLDER:
            gone.append(entry.path)
    for entry in sorted((*difference.added, *difference.changed), key=lambda e: e.path):
        _bring(client, volume_uuid, snapshot, entry)


def _turned(client: Client, volume_uuid: str, difference: Difference) -> list[Entry]:
    """What is another kind of thing now, and links that lead elsewhere: these must go before the old ones come."""
    if not difference.changed:
        return []
    paths = {entry.path: entry for entry in difference.changed}
    live = (e for e in files.walk(client, volume_uuid=volume_uuid) if e.path in paths)
    return [entry for entry in live if entry.kind != paths[entry.path].kind or entry.kind == LINK]


def _bring(client: Client, volume_uuid: str, snapshot: str, entry: Entry) -> None:
    if entry.kind == FOLDER:
        files.ensure_folder(client, volume_uuid=volume_uuid, path=entry.path)
    elif entry.kind == LINK:
        files.ensure_link(client, volume_uuid=volume_uuid, path=entry.path, target=entry.target or "")
    else:
        files.copy_out(client, volume_uuid=volume_uuid, snapshot=snapshot, path=entry.path)


def _differs_from_lease(client: Client, volume_uuid: str) -> bool:
    """Whether an earlier try of this run, killed before its end, has put everything back already."""
    return bool(differences.between(client, volume_uuid=volume_uuid, before=LEASE, after=None))


def _is_own_doing(client: Client, volume_uuid: str, snapshot: str, owner: str, difference: Difference) -> bool:
    """Whether all that may differ is what an earlier try of this run put back, whose worker was killed just after.

    What it put back is newer than the snapshot, so ONTAP's times prove nothing about it.
    """
    if not difference or difference.is_certain:
        return False
    earlier = _earlier(client, volume_uuid, snapshot, owner)
    if earlier is None:
        return False
    done = differences.between(client, volume_uuid=volume_uuid, before=earlier.name, after=snapshot)
    return difference.possibly <= {entry.path for entry in (*done.added, *done.changed)}


def _end(client: Client, volume_uuid: str, snapshot: str, owner: str, *, changed: bool) -> str | None:
    """Turn the lease into the snapshot that one can go back to; None where it holds what is there anyway."""
    if not changed:
        leases.release(client, volume_uuid=volume_uuid, name=LEASE, owner=owner)
        earlier = _earlier(client, volume_uuid, snapshot, owner)
        return earlier.name if earlier else None
    name = _free_name(client, volume_uuid, owner)
    facts = {"name": name, "comment": _comment(snapshot)}
    held = snapshots.get(client, volume_uuid=volume_uuid, name=LEASE)
    asked = f"keep volume {volume_uuid} as it was before its restore to {snapshot!r} as snapshot {name!r}"
    client.modify("Snapshot", {"uuid": held.uuid}, facts, volume_uuid, asked=asked)
    return name


def _earlier(client: Client, volume_uuid: str, snapshot: str, owner: str) -> Snapshot | None:
    """What an earlier try of this run left, whose worker was killed just after."""
    found = snapshots.list_snapshots(client, volume_uuid=volume_uuid, name=f"{safety_name(owner)}*")
    return next((each for each in reversed(found) if each.comment == _comment(snapshot)), None)


def _comment(snapshot: str) -> str:
    return mark(f"before restore to {snapshot}")[:255]


def _free_name(client: Client, volume_uuid: str, owner: str) -> str:
    name = safety_name(owner)
    taken = {s.name for s in snapshots.list_snapshots(client, volume_uuid=volume_uuid, name=f"{name}*")}
    numbered = (name if number == 1 else f"{name}_{number}" for number in range(1, len(taken) + 2))
    return next(candidate for candidate in numbered if candidate not in taken)


def one_file(client: Client, *, volume_uuid: str, snapshot: str, path: str, target: str | None = None) -> None:
    """Put one file back from a snapshot, over what is there or to another path. Raises NotFound, naming both."""
    snapshots.get(client, volume_uuid=volume_uuid, name=snapshot)
    try:
        files.copy_out(client, volume_uuid=volume_uuid, snapshot=snapshot, path=path.strip("/"), target=target)
    except NotFound as error:
        raise NotFound(
            f"File {path!r} of snapshot {snapshot!r} was not restored to {target or path!r} of volume {volume_uuid}: "
            "there is no such file in the snapshot, or no such folder in the volume. Check both paths.",
            code=error.code,
        ) from error
