"""A clone that becomes a volume of its own: ``clone.split_initiated``, a job that can be stopped while it goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emulator import rules
from emulator.errors import InUse, NotFound
from emulator.jobs import operation
from emulator.rest import Call, Reply, accepted
from emulator.store import Record
from emulator.volumes import checks, errors

if TYPE_CHECKING:
    from emulator.world import World

JOB = "volume.split"


def shown(world: World, record: Record) -> dict[str, Any]:
    """How far the split of a clone is. To look is what makes a job of ``reads`` go on."""
    if job := world.jobs.of_volume(JOB, record["uuid"]):
        world.jobs.read(job["uuid"])
        job = world.store.get("job", job["uuid"]) or job
        return {"split_initiated": True, "split_complete_percent": world.jobs.done_percent(job)}
    return {"split_initiated": False, "split_estimate": world.dataplane.used(record["uuid"])}


def request(call: Call, record: Record, body: dict[str, Any]) -> Reply:
    for field in body:
        if field != "clone":
            raise errors.OnlySplit(field)
    if record["clone"] is None:
        raise errors.NotAClone(record["name"])
    if not body["clone"]["split_initiated"]:
        return accepted(call, "volume.split_stop", {"uuid": record["uuid"]}, svm=record["svm"])
    if call.world.jobs.of_volume(JOB, record["uuid"]):
        raise errors.SplitUnderWay(record["name"])
    return accepted(call, JOB, {"uuid": record["uuid"]}, svm=record["svm"])


@operation(JOB)
def split(world: World, args: dict[str, Any]) -> None:
    """From now on the clone shares nothing. Its files are its own already, so only the record changes."""
    record = world.store.get(checks.KIND, args["uuid"])
    if record is None:
        raise NotFound()
    if record["clone"] is None:
        return
    checks.check_aggregate_room(world, record, record["size"])
    world.store.update(checks.KIND, record["uuid"], clone=None)


@operation("volume.split_stop")
def stop(world: World, args: dict[str, Any]) -> None:
    """Nothing happens where no split goes on."""
    record, job = world.store.get(checks.KIND, args["uuid"]), world.jobs.of_volume(JOB, args["uuid"])
    if record and job:
        world.jobs.cancel(job["uuid"], errors.SplitStopped(record["name"]))


@rules.rule("snapshot.create")
def not_while_it_splits(world: Any, volume: dict[str, Any]) -> None:
    if volume["clone"] and world.jobs.of_volume(JOB, volume["uuid"]):
        raise InUse(f'Volume "{volume["name"]}" is being split from its parent. Wait for the split, or stop it.')
