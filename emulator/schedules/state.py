"""Schedules: the times at which mirrors are updated and volumes take snapshots."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from emulator.body import Accepts, number, text
from emulator.cluster import state as cluster_state
from emulator.fields import Shape, Wanted
from emulator.schedules import errors
from emulator.store import Record
from emulator.svms import parts

if TYPE_CHECKING:
    from emulator.world import World

KIND = parts.belongs("schedule")

# ONTAP's own, by name.
_CRON: dict[str, dict[str, list[int]]] = {
    "5min": {"minutes": list(range(0, 60, 5))},
    "8hour": {"minutes": [15], "hours": [2, 10, 18]},
    "hourly": {"minutes": [5]},
    "daily": {"minutes": [10], "hours": [0]},
    "weekly": {"minutes": [15], "hours": [0], "weekdays": [0]},
    "monthly": {"minutes": [20], "hours": [0], "days": [1]},
}
_SYSTEM = {
    "Application Templates ASUP Dump": "P1D",
    "Auto Balance Aggregate Scheduler": "PT1H",
    "Balanced Placement Model Cache Update": "PT7M30S",
    "RepositoryBalanceMonitorJobSchedule": "PT10M",
}
"""Intervals of ONTAP's own work, which nobody changes."""

_RANGES = {"minutes": (0, 59), "hours": (0, 23), "days": (1, 31), "months": (1, 12), "weekdays": (0, 6)}
_INTERVAL = re.compile(r"P(?!$)(\d{1,5}W|(\d{1,5}D)?(T(?=\d)(\d{1,5}H)?(\d{1,5}M)?(\d{1,5}S)?)?)", re.ASCII)
NAME_MAX = 256
# A time that fell due longer ago is not looked for: once a month is the rarest that clients name.
_LOOK_BACK = timedelta(days=31)


def name(value: Any) -> str:
    if not 1 <= len(text(value)) <= NAME_MAX or not value.isprintable():
        raise ValueError("name")
    return value


def interval(value: Any) -> str:
    if not _INTERVAL.fullmatch(text(value)):
        raise ValueError("duration")
    return value


def _times(unit: str) -> Callable[[Any], list[int]]:
    """A converter for numbers of one unit of time: sorted, each once. All of them stand for none given."""
    low, high = _RANGES[unit]

    def times(value: Any) -> list[int]:
        found = sorted({number(item) for item in (value if isinstance(value, list) else [value])})
        if any(not low <= item <= high for item in found):
            raise ValueError(f"{low}..{high}")
        return found

    return times


PATCH_FIELDS: Accepts = {f"cron.{unit}": _times(unit) for unit in _RANGES} | {"interval": interval}
POST_FIELDS: Accepts = PATCH_FIELDS | {
    "name": name,
    "cluster.name": text,
    "cluster.uuid": text,
    "svm.name": text,
    "svm.uuid": text,
}


def render(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    shown = {key: record[key] for key in ("uuid", "name", "type", "svm", "cron", "interval")}
    cluster = world.store.find(cluster_state.KIND)[0]
    return shown | {
        "scope": "svm" if record["svm"] else "cluster",
        "cluster": {"name": cluster["name"], "uuid": cluster["uuid"]},
    }


SCHEDULE = Shape(
    href="/cluster/schedules/{uuid}",
    keys=("uuid", "name"),
    common=("type", "scope", "interval", "svm.name", "svm.uuid", "cluster.name", "cluster.uuid")
    + tuple(f"cron.{unit}" for unit in _RANGES),
    costly=(),
    render=render,
)


def of_type(body: dict[str, Any], old: Record | None = None) -> dict[str, Any]:
    """``type``, ``cron`` and ``interval`` after a request; a new cron replaces the old one. 459760 if invalid."""
    cron, wait = body.get("cron"), body.get("interval")
    if old and not cron and not wait:
        return {}
    kind = "cron" if cron else "interval"
    if bool(cron) == bool(wait) or (old and old["type"] != kind):
        raise errors.NotASchedule()
    if not cron:
        return {"type": kind, "cron": None, "interval": wait}
    if cron.get("minutes") is None:
        raise errors.NotASchedule()
    # No minutes in particular are all of them, and shown; of the other units, none are shown.
    minutes = cron["minutes"] or list(range(60))
    others = {unit: times for unit, times in cron.items() if times and unit != "minutes"}
    return {"type": kind, "cron": {"minutes": minutes, **others}, "interval": None}


def new(name: str, svm: dict[str, str] | None, times: dict[str, Any], *, system: bool = False) -> Record:
    """A record; not stored yet. Without an SVM it is the cluster's."""
    return {"uuid": str(uuid4()), "name": name, "svm": svm, "system": system} | times


def usable(world: World, svm: dict[str, str] | None, wish: dict[str, Any]) -> Record:
    """The schedule that an SVM, or with None the cluster, means by ``name`` or ``uuid``. 404 if there is none."""
    wanted_name, uuid = wish.get("name"), wish.get("uuid")
    for record in world.store.find(KIND):
        theirs = record["svm"] is None or (svm is not None and record["svm"]["uuid"] == svm["uuid"])
        if (
            theirs
            and (wanted_name or uuid)
            and wanted_name in (None, record["name"])
            and uuid in (None, record["uuid"])
        ):
            return record
    raise errors.NoSuchSchedule(str(wanted_name or uuid or ""))


def exists(world: World, name: str, svm: dict[str, str] | None = None) -> bool:
    """Whether an SVM, or with None the cluster, has a schedule of this name."""
    try:
        return bool(usable(world, svm, {"name": name}))
    except errors.NoSuchSchedule:
        return False


def add_presets(world: World) -> None:
    """ONTAP's own, those that are not there: a state written by an older emulator has none."""
    there = {record["name"] for record in world.store.find(KIND) if record["svm"] is None}
    wanted = [new(key, None, of_type({"cron": cron})) for key, cron in _CRON.items()]
    wanted += [new(key, None, of_type({"interval": wait}), system=True) for key, wait in _SYSTEM.items()]
    for record in wanted:
        if record["name"] not in there:
            world.store.insert(KIND, record)


def wished(world: World, svm: dict[str, str] | None, wish: dict[str, Any]) -> str | None:
    """The uuid of the schedule that a request names; None where it says that there is to be none (an empty name)."""
    named = {key: value for key, value in wish.items() if value}
    return usable(world, svm, named)["uuid"] if named else None


def named(world: World, uuid: str | None) -> dict[str, str] | None:
    """How another record shows a schedule."""
    record = world.store.get(KIND, uuid) if uuid else None
    return {"name": record["name"], "uuid": record["uuid"]} if record else None


def falls_due(record: Record, after: datetime, until: datetime) -> bool:
    """Whether one of a schedule's times lies in ``(after, until]``; an interval counts from ``after``."""
    if record["type"] == "interval":
        return until - after >= duration(record["interval"])
    minute = max(after, until - _LOOK_BACK).replace(second=0, microsecond=0) + timedelta(minutes=1)
    while minute <= until:
        if _matches(record["cron"], minute):
            return True
        minute += timedelta(minutes=1)
    return False


def _matches(cron: dict[str, list[int]], moment: datetime) -> bool:
    weekday = moment.isoweekday() % 7
    now = {
        "minutes": moment.minute,
        "hours": moment.hour,
        "days": moment.day,
        "months": moment.month,
        "weekdays": weekday,
    }
    return all(now[unit] in times for unit, times in cron.items())


def duration(text: str) -> timedelta:
    match = _INTERVAL.fullmatch(text)
    assert match
    if match[1].endswith("W"):
        return timedelta(weeks=int(match[1][:-1]))
    days, hours, minutes, seconds = (int((match[group] or "0x")[:-1]) for group in (2, 4, 5, 6))
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
