"""Snapshot policies: which snapshots ONTAP takes by itself, how many of each schedule it keeps, on which volumes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ontap_mlops.ontap import volumes
from ontap_mlops.ontap.client import Client, repeatable
from ontap_mlops.ontap.errors import InvalidRequest, NameTaken, NotFound, NotOurs
from ontap_mlops.ontap.marks import MARK, is_ours

NONE = "none"
"""ONTAP's own policy that takes no snapshots."""
SCHEDULES_MAX = 5
LIMIT = 1023
_FIELDS = "uuid,name,comment,enabled,svm.name,copies"


@dataclass(frozen=True, kw_only=True)
class Copy:
    """``count`` snapshots of a schedule are kept, the oldest going first. ``label`` is what mirror policies select by.

    :param retention_period: ISO 8601, such as ``P7D``: each snapshot is locked for so long, where locking is on.
    """

    schedule: str
    count: int
    label: str | None = None
    retention_period: str | None = None


@dataclass(frozen=True, kw_only=True)
class SnapshotPolicy:
    """``svm`` is None for a policy of the whole cluster."""

    uuid: str
    name: str
    svm: str | None
    enabled: bool
    comment: str
    copies: tuple[Copy, ...]


def find(client: Client, *, svm: str, name: str) -> SnapshotPolicy | None:
    """Return the policy of this name that the SVM may use: its own, or else the cluster's."""
    asked = f"look up snapshot policy {name!r} of SVM {svm!r}"
    found = [_policy(r) for r in client.records("SnapshotPolicy", asked=asked, fields=_FIELDS, name=name)]
    usable = [policy for policy in found if policy.name == name and policy.svm in (svm, None)]
    return min(usable, key=lambda policy: policy.svm is None, default=None)


def get(client: Client, *, svm: str, name: str) -> SnapshotPolicy:
    policy = find(client, svm=svm, name=name)
    if policy is None:
        raise NotFound(f"There is no snapshot policy {name!r} that SVM {svm!r} could use. Make it first.")
    return policy


def copy_of(value: Copy | Mapping[str, Any]) -> Copy:
    """Return a copy from what a DAG says: ``{"schedule": "daily", "count": 7, "label": "daily"}``."""
    if isinstance(value, Copy):
        return value
    known = {"schedule", "count", "label", "retention_period"}
    if not {"schedule", "count"} <= value.keys() <= known or not str(value["count"]).isdigit():
        raise InvalidRequest(
            f"{dict(value)!r} does not say what a snapshot policy keeps; give schedule and count, and if wanted label "
            "and retention_period."
        )
    return Copy(**{**value, "count": int(value["count"])})


@repeatable
def ensure(
    client: Client, *, svm: str, name: str, copies: Sequence[Copy | Mapping[str, Any]], comment: str = MARK
) -> SnapshotPolicy:
    """Return the SVM's policy of this name with exactly these copies, made or changed now or by an earlier try.

    Raises NameTaken for a policy that is not ours and says something else, InvalidRequest for copies that cannot be.
    """
    wanted = tuple(map(copy_of, copies))
    _check(name, wanted)
    policy = find(client, svm=svm, name=name)
    if policy is None:
        body = {"name": name, "svm": {"name": svm}, "comment": comment, "copies": [_body(copy) for copy in wanted]}
        with suppress(NameTaken):  # by an earlier try of ours, or somebody else: what is there decides
            client.create("SnapshotPolicy", body, asked=f"create snapshot policy {name!r} of SVM {svm!r}")
        policy = get(client, svm=svm, name=name)
    if _same(policy.copies, wanted):
        return policy
    if policy.svm is None or not is_ours(policy.comment):
        raise NameTaken(
            f"Snapshot policy {name!r} of {_owner(policy)} keeps something else than was asked for and was not made by "
            f"this project. {NameTaken.advice}."
        )
    _change(client, policy, wanted)
    return get(client, svm=svm, name=name)


@repeatable
def delete(client: Client, *, svm: str, name: str) -> bool:
    """Remove the SVM's own policy; False if it was gone. Raises NotOurs, or InUse while a volume has it."""
    policy = find(client, svm=svm, name=name)
    if policy is None:
        return False
    if policy.svm is None or not is_ours(policy.comment):
        raise NotOurs(f"Snapshot policy {name!r} of {_owner(policy)} was not removed: it does not carry our mark.")
    try:
        client.remove("SnapshotPolicy", {"uuid": policy.uuid}, asked=f"remove snapshot policy {name!r} of SVM {svm!r}")
    except NotFound:
        return False
    return True


@repeatable
def apply(client: Client, *, svm: str, volume: str, policy: str) -> str:
    """Give a volume the policy; the name of the one it had before."""
    uuid = volumes.get(client, svm=svm, name=volume).uuid
    if policy != NONE:
        get(client, svm=svm, name=policy)
    asked = f"give volume {volume!r} of SVM {svm!r} the snapshot policy {policy!r}"
    record = client.record("Volume", {"uuid": uuid}, asked=asked, fields="snapshot_policy.name")
    before = (record.get("snapshot_policy") or {}).get("name") or NONE
    if before != policy:
        client.modify("Volume", {"uuid": uuid}, {"snapshot_policy": {"name": policy}}, asked=asked)
    return before


def _check(name: str, copies: Sequence[Copy]) -> None:
    schedules = [copy.schedule for copy in copies]
    if not 1 <= len(copies) <= SCHEDULES_MAX or len(set(schedules)) != len(schedules):
        raise InvalidRequest(
            f"Snapshot policy {name!r} was to follow the schedules {', '.join(schedules) or '(none)'}; give 1 to "
            f"{SCHEDULES_MAX} different ones."
        )
    total = sum(copy.count for copy in copies)
    if total > LIMIT or any(copy.count < 1 for copy in copies):
        raise InvalidRequest(
            f"Snapshot policy {name!r} was to keep {total} snapshots; each schedule keeps at least one, and a volume "
            f"holds {LIMIT:,} in all."
        )


def _change(client: Client, policy: SnapshotPolicy, wanted: Sequence[Copy]) -> None:
    """Copy by copy: ONTAP has no request that replaces all of them. New ones first, since one must always be left."""
    there = {copy.schedule: copy for copy in policy.copies}
    keys = _schedule_uuids(client, policy)
    for copy in wanted:
        asked = f"keep {copy.count} {copy.schedule} snapshots in snapshot policy {policy.name!r}"
        if copy.schedule not in there:
            _make_room(client, policy, wanted, keys)
            client.create("SnapshotPolicySchedule", _body(copy), policy.uuid, asked=asked)
            keys[copy.schedule] = ""  # it counts, and is not removed
        elif not _same((there[copy.schedule],), (copy,)):
            changes = {key: value for key, value in _body(copy).items() if key != "schedule"}
            client.modify(
                "SnapshotPolicySchedule", {"schedule": {"uuid": keys[copy.schedule]}}, changes, policy.uuid, asked=asked
            )
    for schedule in there.keys() - {copy.schedule for copy in wanted}:
        if schedule in keys:
            _drop(client, policy, schedule, keys)


def _make_room(client: Client, policy: SnapshotPolicy, wanted: Sequence[Copy], keys: dict[str, str]) -> None:
    """A policy that is full of schedules gives up one that nobody wants before another comes."""
    unwanted = keys.keys() - {copy.schedule for copy in wanted}
    if len(keys) >= SCHEDULES_MAX and unwanted:
        _drop(client, policy, sorted(unwanted)[0], keys)


def _drop(client: Client, policy: SnapshotPolicy, schedule: str, keys: dict[str, str]) -> None:
    asked = f"keep no {schedule} snapshots in snapshot policy {policy.name!r}"
    try:
        client.remove("SnapshotPolicySchedule", {"schedule": {"uuid": keys.pop(schedule)}}, policy.uuid, asked=asked)
    except NotFound:
        return


def _schedule_uuids(client: Client, policy: SnapshotPolicy) -> dict[str, str]:
    asked = f"list the schedules of snapshot policy {policy.name!r}"
    found = client.records("SnapshotPolicySchedule", policy.uuid, asked=asked, fields="schedule.name,schedule.uuid")
    return {record["schedule"]["name"]: record["schedule"]["uuid"] for record in found}


def _same(there: Sequence[Copy], wanted: Sequence[Copy]) -> bool:
    """A period that nobody asked for is left as it is."""
    by_schedule = {copy.schedule: copy for copy in there}
    return len(there) == len(wanted) and all(
        (now := by_schedule.get(copy.schedule)) is not None
        and (now.count, now.label) == (copy.count, copy.label)
        and copy.retention_period in (None, now.retention_period)
        for copy in wanted
    )


def _body(copy: Copy) -> dict[str, Any]:
    body: dict[str, Any] = {"schedule": {"name": copy.schedule}, "count": copy.count}
    body["snapmirror_label"] = copy.label or "-"  # as ONTAP writes that there is none
    return body | ({"retention_period": copy.retention_period} if copy.retention_period else {})


def _policy(record: dict[str, Any]) -> SnapshotPolicy:
    return SnapshotPolicy(
        uuid=record["uuid"],
        name=record.get("name", ""),
        svm=(record.get("svm") or {}).get("name"),
        enabled=bool(record.get("enabled", True)),
        comment=record.get("comment") or "",
        copies=tuple(_copy(copy) for copy in record.get("copies") or ()),
    )


def _copy(record: dict[str, Any]) -> Copy:
    label = record.get("snapmirror_label")
    return Copy(
        schedule=(record.get("schedule") or {}).get("name", ""),
        count=int(record.get("count") or 0),
        label=None if label in (None, "", "-") else label,
        retention_period=record.get("retention_period"),
    )


def _owner(policy: SnapshotPolicy) -> str:
    return f"SVM {policy.svm!r}" if policy.svm else "the cluster"
