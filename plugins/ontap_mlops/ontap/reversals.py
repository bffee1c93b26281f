"""Resync a broken mirror, or turn its direction: what only one volume holds is said before it is thrown away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ontap_mlops.ontap import mirrors, snapshots, transfers, volumes
from ontap_mlops.ontap.client import Client, repeatable
from ontap_mlops.ontap.errors import JobStillRunning, NothingInCommon, WouldLose, WrongState
from ontap_mlops.ontap.mirrors import BROKEN, FOLLOWING, Mirror
from ontap_mlops.ontap.snapshots import Snapshot
from ontap_mlops.ontap.transfers import Begun
from ontap_mlops.ontap.volumes import Volume


@dataclass(frozen=True, kw_only=True)
class Unreplicated:
    """What a volume holds that its partner does not: bytes written since a snapshot of both, and snapshots since."""

    since: Snapshot
    bytes: int
    snapshots: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.bytes or self.snapshots)


def common(client: Client, partner: Client, *, volume: Volume, partner_volume: Volume) -> Snapshot | None:
    """Return the newest snapshot of the volume that the partner has too.

    Of those of one second, the one that most of the volume is still as in: ONTAP's times are no finer.
    """
    theirs = {s.version_uuid for s in snapshots.list_snapshots(partner, volume_uuid=partner_volume.uuid)} - {""}
    ours = [s for s in snapshots.list_snapshots(client, volume_uuid=volume.uuid) if s.version_uuid in theirs]
    newest = [s for s in ours if s.created_at == ours[-1].created_at]
    if len(newest) < 2:
        return ours[-1] if ours else None
    return min(newest, key=lambda snapshot: snapshots.changed_since(client, snapshot=snapshot))


def unreplicated(client: Client, partner: Client, *, volume: Volume, partner_volume: Volume) -> Unreplicated:
    """Return what would be lost if the volume followed its partner. Raises NothingInCommon."""
    since = common(client, partner, volume=volume, partner_volume=partner_volume)
    if since is None:
        raise NothingInCommon(
            f"Volume {volume.name!r} of SVM {volume.svm!r} on ONTAP at {client.address} and volume "
            f"{partner_volume.name!r} of SVM {partner_volume.svm!r} on ONTAP at {partner.address} have no snapshot in "
            f"common. {NothingInCommon.advice}."
        )
    there = {s.version_uuid for s in snapshots.list_snapshots(partner, volume_uuid=partner_volume.uuid)}
    ours = snapshots.list_snapshots(client, volume_uuid=volume.uuid)
    later = [s for s in ours if s.version_uuid not in there and _time(s) >= _time(since)]
    # What SnapMirror keeps for itself is nobody's data.
    named = tuple(s.name for s in later if not s.name.startswith("snapmirror."))
    return Unreplicated(since=since, bytes=snapshots.changed_since(client, snapshot=since), snapshots=named)


def resync(client: Client, source: Client, *, mirror: Mirror, source_svm: str, lose_changes: bool = False) -> Begun:
    """Have a broken mirror follow its source again, from the newest snapshot of both; what was written since goes.

    A mirror that follows its source is left as it is, and a resync that runs is joined. Raises WouldLose unless
    ``lose_changes``, WrongState, NothingInCommon.

    :param source: client of the source's cluster, where ``source_svm`` is the name of its SVM.
    """
    now = mirrors.by_uuid(client, uuid=mirror.uuid)
    if under_way := transfers.running(client, mirror=now):
        return Begun(uuid=under_way.uuid, joined=True)
    if now.state in FOLLOWING and now.transfer:
        return Begun(uuid=now.transfer, joined=True)
    if now.state != BROKEN:
        raise WrongState(f"Could not resync the {now.called}: it is {now.state}; only a broken mirror is resynced.")
    svm, _, name = now.destination.partition(":")
    volume = volumes.get(client, svm=svm, name=name)
    partner = volumes.get(source, svm=source_svm, name=now.source_volume)
    _require_told(unreplicated(client, source, volume=volume, partner_volume=partner), now, lose_changes)
    return _begin(client, now)


@repeatable
def reversed_mirror(client: Client, partner: Client, *, mirror: Mirror, svm: str, lose_changes: bool = False) -> Mirror:
    """Return the mirror of the other direction: the source of ``mirror`` is to follow its destination.

    It is made with the same policy and schedule and is broken off until ``resync``; ``finish`` ends the old one.
    Raises WrongState while the old direction still works, WouldLose unless ``lose_changes``, NothingInCommon.

    :param client: of the cluster that has the source of ``mirror``, in ``svm``; the new mirror lives there.
    :param partner: of the cluster that has ``mirror``.
    """
    old = mirrors.by_uuid(partner, uuid=mirror.uuid)
    if old.state != BROKEN:
        raise WrongState(
            f"Could not turn the {old.called}: it is {old.state}. Break it off first, so that {old.destination!r} is "
            "read-write and has the data that is to go back."
        )
    partner_svm, _, partner_name = old.destination.partition(":")
    found = mirrors.find(client, svm=svm, volume=old.source_volume)
    if found is None or found.state == BROKEN:
        volume = volumes.get(client, svm=svm, name=old.source_volume)
        there = volumes.get(partner, svm=partner_svm, name=partner_name)
        lost = unreplicated(client, partner, volume=volume, partner_volume=there)
        _require_told(lost, old, lose_changes, turned=True)
    return mirrors.ensure(
        client,
        svm=svm,
        volume=old.source_volume,
        source_svm=partner_svm,
        source_volume=partner_name,
        policy=old.policy,
        schedule=old.schedule,
    )


def begin(client: Client, *, mirror: Mirror) -> Begun:
    """Begin the resync of a mirror that ``reversed_mirror`` returned, or find it begun or done."""
    now = mirrors.by_uuid(client, uuid=mirror.uuid)
    if under_way := transfers.running(client, mirror=now):
        return Begun(uuid=under_way.uuid, joined=True)
    if now.state in FOLLOWING and now.transfer:
        return Begun(uuid=now.transfer, joined=True)
    return _begin(client, now)


def finish(client: Client, partner: Client, *, old: Mirror | None, new: Mirror) -> None:
    """End the old direction once the new one works: no snapshot goes, since both directions share them.

    :param old: as it is now; None when it is ended at its destination already.
    """
    if old is not None:
        mirrors.delete(partner, mirror=old, destination_only=True)
    # Here is what was its source, which has to forget it too.
    svm, _, volume = new.destination.partition(":")
    for known in mirrors.list_destinations(client, svm=svm, volume=volume):
        if known.destination.rpartition(":")[2] == new.source_volume:
            mirrors.release(client, uuid=known.uuid, keep_snapshots=True)


def _time(snapshot: Snapshot) -> datetime:
    return datetime.fromisoformat(snapshot.created_at)


def _begin(client: Client, mirror: Mirror) -> Begun:
    asked = f"resync the {mirror.called}"
    body = {"state": mirrors.following(mirror)}
    client.modify("SnapmirrorRelationship", {"uuid": mirror.uuid}, body, asked=asked)
    under_way = transfers.running(client, mirror=mirror)
    uuid = under_way.uuid if under_way else mirrors.by_uuid(client, uuid=mirror.uuid).transfer
    if not uuid:
        raise JobStillRunning(f"ONTAP was asked to {asked} and shows no transfer of it yet. Try again.")
    return Begun(uuid=uuid, joined=False)


def _require_told(lost: Unreplicated, mirror: Mirror, lose_changes: bool, *, turned: bool = False) -> None:
    if not lost or lose_changes:
        return
    kept, other = (mirror.destination, mirror.source) if turned else (mirror.source, mirror.destination)
    named = f", and the snapshots {', '.join(lost.snapshots)}" if lost.snapshots else ""
    raise WouldLose(
        f"{other!r} was not made to follow {kept!r}: {lost.bytes:,} bytes written to it since snapshot "
        f"{lost.since.name!r} of {lost.since.created_at}{named}, would be lost. Copy what is needed, then run it again "
        "with lose_changes."
    )
