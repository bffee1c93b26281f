"""Snapshots that volumes take by themselves: at the times of their policy's schedules, and no more than it keeps."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from emulator import rules
from emulator.errors import OntapError
from emulator.jobs import operation
from emulator.schedules import state as schedules
from emulator.snaplock import periods
from emulator.snapshot_policies import state
from emulator.snapshots import state as snapshots
from emulator.store import Record
from emulator.ticking import every_moment

if TYPE_CHECKING:
    from emulator.world import World

OPERATION = "snapshot.scheduled"
_LOOKED = timedelta(minutes=1)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Scheduled:
    """What begins a job that nobody asked for; no fault of a request meets it."""

    description: str
    method: str = "SCHEDULE"
    path: str = ""


@every_moment
def take_due(world: World) -> None:
    if not world.config.schedules:
        return
    now = world.clock.now()
    for policy in world.store.find(state.KIND):
        for copy in policy["copies"] if policy["enabled"] else ():
            _look(world, policy, copy, now)


def _look(world: World, policy: Record, copy: dict[str, Any], now: datetime) -> None:
    """Take what has fallen due since the policy's schedule was last looked at; of several times missed, one."""
    known = (world.store.get(state.KIND, policy["uuid"]) or policy).get("looked_at") or {}
    schedule = world.store.get(schedules.KIND, copy["schedule"])
    since = datetime.fromisoformat(known[copy["schedule"]]) if copy["schedule"] in known else now
    due = schedule is not None and since < now and schedules.falls_due(schedule, since, now)
    if due:
        for volume in _volumes(world, policy):
            _begin(world, volume, copy, now)
    may_forget = schedule is None or schedule["type"] == "cron"
    if due or copy["schedule"] not in known or since > now or (may_forget and now - since >= _LOOKED):
        world.store.update(state.KIND, policy["uuid"], looked_at=known | {copy["schedule"]: now.isoformat()})


def _volumes(world: World, policy: Record) -> list[Record]:
    """Those that have the policy, and not another SVM's of the same name."""
    found = [volume for volume in world.store.find("volume") if volume["snapshot_policy"] == policy["name"]]
    return [
        volume
        for volume in found
        if volume["state"] == "online"
        and state.usable(world, volume["svm"], {"name": policy["name"]})["uuid"] == policy["uuid"]
    ]


def _begin(world: World, volume: Record, copy: dict[str, Any], now: datetime) -> None:
    facts: dict[str, Any] = {"uuid": str(uuid4()), "name": f"{copy['prefix']}.{now:%Y-%m-%d_%H%M}"}
    if copy["snapmirror_label"] != "-":
        facts["label"] = copy["snapmirror_label"]
    if copy["retention_period"] and volume["locking"]:
        facts["lock_until"] = world.clock.iso(periods.after(now, copy["retention_period"]))
    args = {"volume": volume["uuid"], "facts": facts, "prefix": copy["prefix"], "count": copy["count"]}
    world.jobs.submit(_Scheduled(f"Scheduled snapshot {facts['name']}"), OPERATION, args, svm=volume["svm"])


@operation(OPERATION)
def take(world: World, args: dict[str, Any]) -> None:
    """Take one snapshot, then let the oldest of its kind go that are more than the policy keeps."""
    volume = world.store.get("volume", args["volume"])
    if volume is None:
        return
    name = args["facts"]["name"]
    if not world.store.find(snapshots.KIND, volume=volume["uuid"], name=name):
        rules.check("snapshot.create", world, volume)
        snapshots.take(world, volume, args["facts"])
    with world.dataplane.lock(volume["uuid"]):
        _keep(world, volume, args["prefix"], args["count"])


def _keep(world: World, volume: Record, prefix: str, count: int) -> None:
    """What is locked, owned or cloned stays, and counts."""
    pattern = re.compile(re.escape(prefix) + r"\.\d{4}-\d{2}-\d{2}_\d{4}", re.ASCII)
    found = [
        each for each in world.store.find(snapshots.KIND, volume=volume["uuid"]) if pattern.fullmatch(each["name"])
    ]
    for record in found[: max(0, len(found) - count)]:
        try:
            snapshots.check_removable(world, volume, record)
            snapshots.remove(world, volume, record)
        except OntapError as reason:
            log.info("snapshot %s of volume %s stays: %s", record["name"], volume["name"], reason.message)
