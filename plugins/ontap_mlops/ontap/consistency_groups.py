"""Consistency groups: volumes frozen and put back together, such as a dataset and the models trained on it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ontap_mlops.ontap import restoring, volumes
from ontap_mlops.ontap.client import Client, repeatable
from ontap_mlops.ontap.errors import InUse, InvalidRequest, JobStillRunning, NameTaken, NotFound
from ontap_mlops.ontap.restoring import Restored

_GROUP = "uuid,name,svm.name,volumes"
_SNAPSHOT = "uuid,name,comment,create_time,is_partial,snapshot_volumes"


@dataclass(frozen=True, kw_only=True)
class Group:
    """``volumes`` is UUID by name."""

    uuid: str
    name: str
    svm: str
    volumes: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class GroupSnapshot:
    """``snapshots`` is the UUID of each volume's own snapshot, by the volume's name; all have the same name."""

    uuid: str
    name: str
    comment: str
    created_at: str
    is_partial: bool
    snapshots: dict[str, str]


def find(client: Client, *, svm: str, name: str) -> Group | None:
    asked = f"look up consistency group {name!r} of SVM {svm!r}"
    found = client.records("ConsistencyGroup", asked=asked, fields=_GROUP, name=name, **{"svm.name": svm})
    return next((_group(record, svm) for record in found if record.get("name") == name), None)


def get(client: Client, *, svm: str, name: str) -> Group:
    group = find(client, svm=svm, name=name)
    if group is None:
        raise NotFound(f"SVM {svm!r} has no consistency group {name!r}. Make it first, or check the name.")
    return group


@repeatable
def ensure(client: Client, *, svm: str, name: str, members: Sequence[str]) -> Group:
    """Return the group with at least these volumes, made or extended now or by an earlier try.

    Volumes that are in it besides stay. Raises InUse for a volume of another group, naming both.
    """
    if not members:
        raise InvalidRequest(f"Consistency group {name!r} of SVM {svm!r} was to have no volumes; name at least one.")
    wanted = [volumes.get(client, svm=svm, name=member) for member in dict.fromkeys(members)]
    group = find(client, svm=svm, name=name)
    missing = [volume.name for volume in wanted if group is None or volume.name not in group.volumes]
    if group is not None and not missing:
        return group
    _check_free(client, svm, name, missing)
    added = [{"name": volume, "provisioning_options": {"action": "add"}} for volume in missing]
    asked = f"put {', '.join(missing)} into consistency group {name!r} of SVM {svm!r}"
    if group is None:
        with suppress(NameTaken):  # by an earlier try, or somebody else: what is in it decides
            client.create("ConsistencyGroup", {"name": name, "svm": {"name": svm}, "volumes": added}, asked=asked)
    else:
        client.modify("ConsistencyGroup", {"uuid": group.uuid}, {"volumes": added}, asked=asked)
    made = get(client, svm=svm, name=name)
    if left := [volume.name for volume in wanted if volume.name not in made.volumes]:
        raise JobStillRunning(f"ONTAP was asked to {asked}, and {', '.join(left)} are not in it yet. Try again.")
    return made


@repeatable
def delete(client: Client, *, svm: str, name: str) -> bool:
    """Dissolve the group; volumes and their snapshots stay. False if it was gone."""
    group = find(client, svm=svm, name=name)
    if group is None:
        return False
    try:
        client.remove("ConsistencyGroup", {"uuid": group.uuid}, asked=f"dissolve consistency group {name!r}")
    except NotFound:
        return False
    return True


def list_snapshots(client: Client, *, group: Group) -> list[GroupSnapshot]:
    asked = f"list snapshots of consistency group {group.name!r}"
    found = client.records("ConsistencyGroupSnapshot", group.uuid, asked=asked, fields=_SNAPSHOT)
    return [_snapshot(record) for record in found]


@repeatable
def ensure_snapshot(
    client: Client, *, group: Group, name: str, comment: str, label: str | None = None
) -> GroupSnapshot:
    """Freeze all volumes of a group in one act, now or by an earlier try: all of them, or none.

    Raises NameTaken when a snapshot of this name has another comment, or belongs to one volume only.
    """
    snapshot = _find_snapshot(client, group, name)
    if snapshot is None:
        body = {"name": name, "comment": comment} | ({"snapmirror_label": label} if label else {})
        asked = f"freeze consistency group {group.name!r} ({', '.join(group.volumes)}) as {name!r}"
        try:
            client.create("ConsistencyGroupSnapshot", body, group.uuid, asked=asked)
        except NameTaken:
            if _find_snapshot(client, group, name) is None:
                raise  # of a single volume
        snapshot = _find_snapshot(client, group, name)
    if snapshot is None:
        raise JobStillRunning(f"Snapshot {name!r} of consistency group {group.name!r} is not there yet. Try again.")
    if snapshot.comment != comment:
        raise NameTaken(
            f"Snapshot {name!r} of consistency group {group.name!r} exists with another comment, {snapshot.comment!r} "
            f"and not {comment!r}. {NameTaken.advice}."
        )
    return snapshot


@repeatable
def delete_snapshot(client: Client, *, group: Group, name: str) -> bool:
    snapshot = _find_snapshot(client, group, name)
    if snapshot is None:
        return False
    asked = f"remove snapshot {name!r} of consistency group {group.name!r}"
    try:
        client.remove("ConsistencyGroupSnapshot", {"uuid": snapshot.uuid}, group.uuid, asked=asked)
    except NotFound:
        return False
    return True


def restore_keeping_all(client: Client, *, group: Group, snapshot: str, owner: str) -> dict[str, Restored]:
    """Put every volume back to a snapshot of the group; what there was stays as a snapshot of each. By volume.

    No volume is touched before all of them are held, so of two runs one restores all. A retry goes on.
    """
    found = get_snapshot(client, group=group, name=snapshot)
    _check_whole(group, found)
    held = {volume: group.volumes[volume] for volume in sorted(found.snapshots)}
    for volume, uuid in held.items():
        restoring.begin(client, volume_uuid=uuid, volume=volume, owner=owner)
    return {
        volume: restoring.to_snapshot(client, volume_uuid=uuid, volume=volume, snapshot=snapshot, owner=owner)
        for volume, uuid in held.items()
    }


@repeatable
def restore_in_one_step(
    client: Client, *, group: Group, snapshot: str, owner: str, discard_newer: bool = False
) -> GroupSnapshot:
    """Let ONTAP restore all volumes at once; what was written since is lost, and newer snapshots with it."""
    found = get_snapshot(client, group=group, name=snapshot)
    _check_whole(group, found)
    newer = [
        f"{later.name} of {volume}"
        for volume in sorted(found.snapshots)
        for later in restoring.newer_than(client, volume_uuid=group.volumes[volume], snapshot=snapshot)
    ]
    if newer and not discard_newer:
        raise InvalidRequest(
            f"Consistency group {group.name!r} was not restored to snapshot {snapshot!r}: {len(newer)} newer snapshots "
            f"would be lost ({', '.join(newer[:5])}{', ...' if len(newer) > 5 else ''}). Restore with safety, which "
            "keeps them, or set discard_newer."
        )
    for volume in sorted(found.snapshots):
        restoring.begin(client, volume_uuid=group.volumes[volume], volume=volume, owner=owner)
    asked = f"restore consistency group {group.name!r} to snapshot {snapshot!r}"
    query: dict[str, Any] = {"restore_to.snapshot.name": snapshot}
    client.modify("ConsistencyGroup", {"uuid": group.uuid}, {}, asked=asked, **query)
    return found


def get_snapshot(client: Client, *, group: Group, name: str) -> GroupSnapshot:
    snapshot = _find_snapshot(client, group, name)
    if snapshot is None:
        raise NotFound(f"Consistency group {group.name!r} has no snapshot {name!r}. Check the name.")
    return snapshot


def _check_whole(group: Group, snapshot: GroupSnapshot) -> None:
    left_out = sorted(group.volumes.keys() - snapshot.snapshots.keys())
    if snapshot.is_partial:
        raise InvalidRequest(
            f"Snapshot {snapshot.name!r} of consistency group {group.name!r} is partial: volumes "
            f"{', '.join(left_out) or '(unknown)'} have none of it any more, so nothing was restored. Restore the "
            "others one by one if that is meant."
        )


def _check_free(client: Client, svm: str, name: str, members: Sequence[str]) -> None:
    found = client.records("ConsistencyGroup", asked="list consistency groups", fields=_GROUP, **{"svm.name": svm})
    for group in (_group(record, svm) for record in found):
        for member in members:
            if member in group.volumes and group.name != name:
                raise InUse(
                    f"Volume {member!r} was not put into consistency group {name!r} of SVM {svm!r}: it is in group "
                    f"{group.name!r}, and a volume can be in one only. Take it out there first."
                )


def _find_snapshot(client: Client, group: Group, name: str) -> GroupSnapshot | None:
    return next((found for found in list_snapshots(client, group=group) if found.name == name), None)


def _group(record: dict[str, Any], svm: str) -> Group:
    return Group(
        uuid=record["uuid"],
        name=record.get("name", ""),
        svm=(record.get("svm") or {}).get("name", svm),
        volumes={volume["name"]: volume["uuid"] for volume in record.get("volumes") or () if volume.get("name")},
    )


def _snapshot(record: dict[str, Any]) -> GroupSnapshot:
    return GroupSnapshot(
        uuid=record["uuid"],
        name=record.get("name", ""),
        comment=record.get("comment") or "",
        created_at=record.get("create_time") or "",
        is_partial=bool(record.get("is_partial")),
        snapshots={part["volume"]["name"]: part["snapshot"]["uuid"] for part in record.get("snapshot_volumes") or ()},
    )
