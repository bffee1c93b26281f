"""Snapshot policies: at what times volumes take snapshots by themselves, and how many they keep of each kind."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from emulator.body import Accepts, flag, number, text
from emulator.errors import BadValue
from emulator.fields import Shape, Wanted
from emulator.schedules import state as schedules
from emulator.schedules.errors import NoSuchSchedule
from emulator.snapshot_policies import errors
from emulator.store import Record
from emulator.svms import parts

if TYPE_CHECKING:
    from emulator.world import World

KIND = parts.belongs("snapshot_policy")
SCHEDULES_MAX = 5
SNAPSHOTS_MAX = 1023
LABEL_MAX = 31

# ONTAP's own: how many of each schedule, and what it says of itself.
_PRESETS: dict[str, tuple[dict[str, int], str]] = {
    "default": (
        {"hourly": 6, "daily": 2, "weekly": 2},
        "Default policy with hourly, daily & weekly schedules.",
    ),
    "default-1weekly": (
        {"hourly": 6, "daily": 2, "weekly": 1},
        "Default policy with 6 hourly, 2 daily & 1 weekly schedule.",
    ),
    "none": ({}, "Policy for no automatic snapshots."),
}
# One unit only: years, months, weeks or days, or hours or minutes after a T.
_RETENTION = re.compile(r"P\d{1,5}[YMWD]|PT\d{1,5}[HM]|infinite", re.ASCII)


def label(value: Any) -> str:
    if not 1 <= len(text(value)) <= LABEL_MAX or not value.isprintable():
        raise ValueError("label")
    return value


def retention(value: Any) -> str:
    if not _RETENTION.fullmatch(text(value)):
        raise errors.NotARetentionPeriod(value)
    return value


COPY_FIELDS: Accepts = {
    "count": number,
    "prefix": schedules.name,
    "retention_period": retention,
    "schedule.name": text,
    "schedule.uuid": text,
    "snapmirror_label": label,
}
CHANGED = ("count", "prefix", "retention_period", "snapmirror_label")
"""What of a copy can be changed; its schedule is what it is found by."""
COPY_PATCH_FIELDS: Accepts = COPY_FIELDS | {"snapshot_policy.name": text, "snapshot_policy.uuid": text}
PATCH_FIELDS: Accepts = {"comment": text, "enabled": flag}
POST_FIELDS: Accepts = (
    {"name": schedules.name, "svm.name": text, "svm.uuid": text}
    | PATCH_FIELDS
    | {f"copies.{name}": convert for name, convert in COPY_FIELDS.items()}
)


def render(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    shown = {key: record[key] for key in ("uuid", "name", "svm", "enabled", "comment")}
    copies = [render_copy(world, copy, wanted) for copy in record["copies"]] if wanted.has("copies") else []
    return shown | {"scope": "svm" if record["svm"] else "cluster", "copies": copies}


def render_copy(world: World, copy: dict[str, Any], wanted: Wanted) -> dict[str, Any]:
    schedule = world.store.get(schedules.KIND, copy["schedule"])
    return copy | {"schedule": {"name": schedule["name"], "uuid": schedule["uuid"]} if schedule else None}


_COPY = ("count", "prefix", "retention_period", "snapmirror_label", "schedule.name", "schedule.uuid")
POLICY = Shape(
    href="/storage/snapshot-policies/{uuid}",
    keys=("uuid", "name"),
    common=("enabled", "comment", "scope", "svm.name", "svm.uuid", *(f"copies.{name}" for name in _COPY)),
    costly=(),
    render=render,
)
COPY = Shape(
    href="/storage/snapshot-policies/{snapshot_policy.uuid}/schedules/{schedule.uuid}",
    keys=("schedule.uuid", "schedule.name", "snapshot_policy.uuid"),
    common=("snapshot_policy.name", *_COPY),
    costly=(),
    render=render_copy,
)


def with_copy(world: World, svm: dict[str, str] | None, copies: list[Any], wish: Any) -> list[Any]:
    """The copies with one more. 1638407 without a count, 1638410 for no such schedule, 1 when it is there already."""
    if not isinstance(wish, dict):
        raise BadValue(wish, "copies")
    try:
        schedule = schedules.usable(world, svm, wish.get("schedule") or {})
    except NoSuchSchedule as error:
        raise errors.NoSuchScheduleHere(str((wish.get("schedule") or {}).get("name"))) from error
    if any(copy["schedule"] == schedule["uuid"] for copy in copies):
        raise errors.ScheduleTwice(schedule["name"])
    if wish.get("count") is None:
        raise errors.CountMissing()
    copy = {
        "schedule": schedule["uuid"],
        "count": wish["count"],
        "prefix": wish.get("prefix") or schedule["name"],
        "snapmirror_label": wish.get("snapmirror_label") or "-",
        "retention_period": wish.get("retention_period"),
    }
    return checked([*copies, copy])


def checked(copies: list[Any]) -> list[Any]:
    """The copies of one policy. 1638451 when they would be more snapshots than a volume can hold."""
    if not 1 <= len(copies) <= SCHEDULES_MAX:
        raise errors.WrongNumberOfSchedules(len(copies), SCHEDULES_MAX)
    if any(copy["count"] < 1 for copy in copies):
        raise BadValue(min(copy["count"] for copy in copies), "copies.count", "positive integer")
    if (total := sum(copy["count"] for copy in copies)) > SNAPSHOTS_MAX:
        raise errors.TooManySnapshots(total, SNAPSHOTS_MAX)
    return copies


def new(name: str, svm: dict[str, str] | None, copies: list[Any], *, comment: str = "", enabled: bool = True) -> Record:
    """A record; not stored yet. Without an SVM it is the cluster's, which every SVM may use."""
    return {"uuid": str(uuid4()), "name": name, "svm": svm, "copies": copies, "comment": comment, "enabled": enabled}


def built_in(record: Record) -> bool:
    return record["svm"] is None and record["name"] in _PRESETS


def usable(world: World, svm: dict[str, str] | None, wish: dict[str, Any]) -> Record:
    """The policy that an SVM means by ``name``, ``uuid`` or both: its own or the cluster's. 404 if there is none."""
    name, uuid = wish.get("name"), wish.get("uuid")
    for record in world.store.find(KIND):
        theirs = record["svm"] is None or (svm is not None and record["svm"]["uuid"] == svm["uuid"])
        if theirs and (name or uuid) and name in (None, record["name"]) and uuid in (None, record["uuid"]):
            return record
    raise errors.NoSuchPolicy(str(name or uuid or ""))


def exists(world: World, name: str, svm: dict[str, str] | None = None) -> bool:
    """Whether an SVM, or with None the cluster, has a snapshot policy of this name."""
    try:
        return bool(usable(world, svm, {"name": name}))
    except errors.NoSuchPolicy:
        return False


def with_schedule(world: World, uuid: str) -> list[Record]:
    return [policy for policy in world.store.find(KIND) if any(copy["schedule"] == uuid for copy in policy["copies"])]


def users_of(world: World, policy: Record) -> Iterator[str]:
    """What has the policy, in words."""
    for kind in ("volume", "svm"):
        for user in world.store.find(kind, snapshot_policy=policy["name"]):
            svm = user["uuid"] if kind == "svm" else user["svm"]["uuid"]
            if policy["svm"] is None or policy["svm"]["uuid"] == svm:
                yield f'the {"SVM" if kind == "svm" else kind} "{user["name"]}"'


def add_presets(world: World) -> None:
    """ONTAP's own, those that are not there: a state written by an older emulator has none."""
    there = {record["name"] for record in world.store.find(KIND) if record["svm"] is None}
    for name, (counts, comment) in _PRESETS.items():
        if name in there:
            continue
        copies: list[Any] = []
        for schedule, count in counts.items():
            copies = with_copy(world, None, copies, {"schedule": {"name": schedule}, "count": count})
        world.store.insert(KIND, new(name, None, copies, comment=comment))
