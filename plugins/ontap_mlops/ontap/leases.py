"""Leases: at most one owner at a time for a name, held by whoever made the snapshot of that name.

ONTAP refuses a snapshot whose name is taken (525059), so making one tests and sets in a single step, for any worker on
any machine. The comment says who holds it, from the moment it exists. A lease has no end of its own: the clock of a
holder that was killed tells nothing about the work it began, so only its owner, or somebody who looked, gives it up.
"""

from __future__ import annotations

from dataclasses import dataclass

from ontap_mlops.ontap import snapshots
from ontap_mlops.ontap.client import Client, repeatable
from ontap_mlops.ontap.errors import JobStillRunning, NameTaken, NotFound
from ontap_mlops.ontap.marks import mark
from ontap_mlops.ontap.snapshots import Snapshot

_LEASE = mark("lease ")
# Between a refusal and the look at who holds it, the holder may let go: then it is tried again.
_TRIES = 5


@dataclass(frozen=True, kw_only=True)
class Lease:
    """``since`` is ISO 8601 by ONTAP's clock. ``snapshot_uuid`` tells this holding from a later one of the name."""

    name: str
    owner: str
    since: str
    volume_uuid: str
    snapshot_uuid: str

    def __str__(self) -> str:
        return f"{self.name}, held by {self.owner} since {self.since or 'an unknown time'}"


def read(client: Client, *, volume_uuid: str, name: str) -> Lease | None:
    """Return who holds it, or None when nobody does. Raises NameTaken when a snapshot of this name is no lease."""
    snapshot = snapshots.find(client, volume_uuid=volume_uuid, name=name)
    return None if snapshot is None else _lease(snapshot)


@repeatable
def take(client: Client, *, volume_uuid: str, name: str, owner: str) -> Lease:
    """Take the lease if it is free, and return it as it is then: ours when its ``owner`` is the one given.

    Taking it again for the same owner changes nothing, so a retry finds what its first try took.

    :param owner: run key, or another id without spaces that is the same on every try.
    """
    if not owner or owner != owner.strip():
        raise ValueError(f"lease {name!r} was asked for by {owner!r}; name an owner, such as a run key")
    for _ in range(_TRIES):
        lease = read(client, volume_uuid=volume_uuid, name=name)
        if lease is not None:
            return lease
        _try(client, volume_uuid, name, owner)
    raise JobStillRunning(
        f"Lease {name!r} on volume {volume_uuid} changed hands {_TRIES} times while {owner} asked for it. Try again."
    )


@repeatable
def release(client: Client, *, volume_uuid: str, name: str, owner: str) -> bool:
    """Give it up; False when it is not held by ``owner``, whose lease then stays with whoever has it."""
    lease = read(client, volume_uuid=volume_uuid, name=name)
    if lease is None or lease.owner != owner:
        return False
    # By uuid: were it released and taken by somebody else since, the name would mean another's.
    asked = f"give up lease {name!r} of {owner} on volume {volume_uuid}"
    try:
        client.remove("Snapshot", {"uuid": lease.snapshot_uuid}, volume_uuid, asked=asked)
    except NotFound:
        return False
    return True


def is_lease(snapshot: Snapshot) -> bool:
    return snapshot.comment.startswith(_LEASE)


def _try(client: Client, volume_uuid: str, name: str, owner: str) -> None:
    asked = f"take lease {name!r} for {owner} on volume {volume_uuid}"
    try:
        client.create("Snapshot", {"name": name, "comment": f"{_LEASE}{owner}"}, volume_uuid, asked=asked)
    except NameTaken:
        return  # somebody was faster: the caller looks who


def _lease(snapshot: Snapshot) -> Lease:
    if not is_lease(snapshot):
        raise NameTaken(
            f"Snapshot {snapshot.name!r} of volume {snapshot.volume_uuid} has the comment {snapshot.comment!r}, so it "
            "is no lease of ours and nobody can take that lease. Rename or remove the snapshot.",
            code="525059",
        )
    return Lease(
        name=snapshot.name,
        owner=snapshot.comment.removeprefix(_LEASE),
        since=snapshot.created_at,
        volume_uuid=snapshot.volume_uuid,
        snapshot_uuid=snapshot.uuid,
    )
