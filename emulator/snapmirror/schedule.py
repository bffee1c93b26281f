"""Updates that begin by themselves: at the times of the relationship's schedule, or else of its policy's."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from emulator.schedules import state as schedules
from emulator.snapmirror import operations, state
from emulator.snapmirror_policies import state as policies
from emulator.snapmirror_transfers import state as transfers
from emulator.store import Record
from emulator.ticking import every_moment

if TYPE_CHECKING:
    from emulator.world import World

_FOLLOWING = ("snapmirrored", "in_sync")
# A synchronous mirror has no schedule; it is brought up to date as often as schedules are looked at.
_EVERY_MINUTE: Record = {"type": "cron", "cron": {"minutes": list(range(60))}}


@every_moment
def update_due(world: World) -> None:
    if not world.config.schedules:
        return
    now = world.clock.now()
    for record in (each for wanted in _FOLLOWING for each in world.store.find(state.KIND, state=wanted)):
        since = datetime.fromisoformat(record["looked_at"]) if record["looked_at"] else now
        schedule = _schedule(world, record)
        due = schedule is not None and since < now and schedules.falls_due(schedule, since, now)
        if due and not transfers.running(world, record["uuid"]):
            operations.begin(world, record, "update")
        if due or not record["looked_at"] or since > now or _may_forget(schedule, since, now):
            world.store.update(state.KIND, record["uuid"], looked_at=now.isoformat())


def _may_forget(schedule: Record | None, since: datetime, now: datetime) -> bool:
    """Whether the moment last looked at may move on: once a minute, but of an interval not before it is over."""
    return (schedule is None or schedule["type"] == "cron") and now - since >= timedelta(minutes=1)


def _schedule(world: World, record: Record) -> Record | None:
    policy = world.store.get(policies.KIND, record["policy"]) or {}
    if policy.get("type") == "sync":
        return _EVERY_MINUTE
    uuid = record["schedule"] or policy.get("schedule")
    return world.store.get(schedules.KIND, uuid) if uuid else None
