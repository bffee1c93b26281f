"""A volume on its way to another aggregate: ``movement``. Its files stay where they are; what they count against moves.

A move is a job, ``volume.move``. While the job is open, what is shown follows from it; how it ended lies in the
volume's record. With ``cutover_wait`` the job ends when all is copied, and the volume moves when it is told to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emulator import rules
from emulator.body import Accepts, flag, text
from emulator.errors import InUse, NotAllowed, NotSupported, OntapError
from emulator.jobs import operation
from emulator.jobs.runner import PAUSED
from emulator.rest import Call, Reply, accepted
from emulator.store import Record
from emulator.values import between, one_of
from emulator.volumes import checks, encryption, errors, settings
from emulator.volumes.places import is_flexgroup

if TYPE_CHECKING:
    from emulator.world import World

JOB = "volume.move"
FIELDS: Accepts = {
    "movement.destination_aggregate.name": text,
    "movement.destination_aggregate.uuid": text,
    "movement.state": one_of("aborted", "cutover", "cutover_wait", "paused", "replicating"),
    "movement.cutover_window": between(30, 300),
    "movement.tiering_policy": one_of("none", "snapshot_only", "auto", "backup", "all"),
    "movement.capacity_tier_optimized": flag,
}
_WITH_A_MOVE = ("movement", "encryption")
NAMES = (*FIELDS, "movement.percent_complete", "movement.start_time")


def under_way(world: World, volume: str) -> Record | None:
    return world.jobs.of_volume(JOB, volume)


def shown(world: World, record: Record) -> dict[str, Any] | None:
    """``movement`` of a volume; None for one that was never moved. To look is what makes a job of ``reads`` go on."""
    if job := under_way(world, record["uuid"]):
        world.jobs.read(job["uuid"])
    job = under_way(world, record["uuid"])
    if job is None:
        found = world.store.get(checks.KIND, record["uuid"]) or record
        return found.get("movement")
    kept = {key: job["args"]["wish"].get(key) for key in ("cutover_window", "tiering_policy")}
    return kept | {
        "destination_aggregate": _named(world, job["args"]["destination"]),
        "state": "paused" if job["state"] == PAUSED else "replicating",
        "percent_complete": world.jobs.done_percent(job),
        "start_time": job["start_time"],
    }


def request(call: Call, record: Record, body: dict[str, Any]) -> Reply:
    """What a PATCH with ``movement`` asks for: a move, or a change of the one that goes on."""
    wish = body["movement"]
    if call.user.svm:
        raise NotAllowed()
    if not wish.get("destination_aggregate"):
        return _steer(call, record, wish)
    for field in body:
        if field not in _WITH_A_MOVE:
            raise errors.OnlyMove(field)
    if wish.get("state") not in (None, "cutover_wait"):
        raise errors.MoveOrState()
    destination = _destination(call.world, record, wish["destination_aggregate"])
    if under_way(call.world, record["uuid"]) or _waits(record):
        raise errors.MoveUnderWay(record["name"])
    if call.flag("validate_only"):
        return Reply(200, {})
    args = {"uuid": record["uuid"], "destination": destination, "wish": wish, "start": call.world.clock.iso()}
    args["options"] = settings.of_body({"encryption": body.get("encryption") or {}})
    return accepted(call, JOB, args, svm=record["svm"])


def _destination(world: World, record: Record, named: dict[str, Any]) -> str:
    name, uuid = named.get("name"), named.get("uuid")
    found = [a for a in world.store.find("aggregate") if a["name"] == name or a["uuid"] == uuid]
    if len(found) > 1 or (found and name and uuid and (found[0]["name"], found[0]["uuid"]) != (name, uuid)):
        raise errors.AggregateMismatch()
    if not found:
        raise errors.NoMoveDestination(str(name or uuid))
    if is_flexgroup(record):
        raise NotSupported(f'Volume "{record["name"]}" is a FlexGroup volume; only its constituents move.', "movement")
    if record["state"] != "online":
        raise errors.VolumeOffline(record["name"])
    if found[0]["name"] == record["aggregate"]:
        raise errors.SameAggregate(record["name"], record["aggregate"])
    return found[0]["name"]


def _waits(record: Record) -> bool:
    return (record.get("movement") or {}).get("state") == "cutover_pending"


def _steer(call: Call, record: Record, wish: dict[str, Any]) -> Reply:
    if not wish.get("state"):
        raise errors.MoveNotGiven()
    if not under_way(call.world, record["uuid"]) and not _waits(record):
        raise errors.NoMove(record["name"], wish["state"])
    return accepted(call, "volume.move_state", {"uuid": record["uuid"], "state": wish["state"]}, svm=record["svm"])


@operation("volume.move_state")
def steer(world: World, args: dict[str, Any]) -> None:
    record, job = world.store.get(checks.KIND, args["uuid"]), under_way(world, args["uuid"])
    wanted = args["state"]
    if record is None:
        return
    if job is None:
        if _waits(record) and wanted == "cutover":
            _cut_over(world, record, record["movement"]["destination_aggregate"]["name"], record["movement"])
        elif _waits(record) and wanted == "aborted":
            _ended(world, record, record["movement"], "aborted")
        return
    if wanted == "aborted":
        if world.jobs.cancel(job["uuid"], errors.MoveAborted(record["name"])):
            _ended(world, record, _facts(world, job["args"]), "aborted")
    elif wanted == "cutover":
        world.jobs.hurry(job["uuid"])
    elif wanted == "cutover_wait":
        world.jobs.remember({"job": job["uuid"]}, wish=job["args"]["wish"] | {"state": "cutover_wait"})
    else:
        (world.jobs.pause if wanted == "paused" else world.jobs.resume)(job["uuid"])


@operation(JOB)
def move(world: World, args: dict[str, Any]) -> None:
    with world.dataplane.lock(args["uuid"]):
        record = world.store.get(checks.KIND, args["uuid"])
        if record is None or record["aggregate"] == args["destination"]:
            return
        facts = _facts(world, args)
        try:
            encryption.check(world, record, record["options"] | args.get("options", {}), moving=True)
            checks.check_aggregate_room(world, record | {"aggregate": args["destination"]}, record["size"])
        except OntapError:
            _ended(world, record, facts, "failed")
            raise
        if args["wish"].get("state") == "cutover_wait":
            _ended(world, record, facts | {"percent_complete": 100}, "cutover_pending")
        else:
            _cut_over(world, record, args["destination"], facts)


def _cut_over(world: World, record: Record, destination: str, facts: dict[str, Any]) -> None:
    """From now on the volume is on the other aggregate; a clone shares nothing with its parent there."""
    options = record["options"] | facts.get("options", {})
    if policy := facts.get("tiering_policy"):
        options = options | {"tiering.policy": policy}
    movement = facts | {"state": "success", "percent_complete": 100}
    changes = {"aggregate": destination, "clone": None, "options": options, "movement": movement}
    world.store.update(checks.KIND, record["uuid"], **changes)


def _ended(world: World, record: Record, facts: dict[str, Any], how: str) -> None:
    world.store.update(checks.KIND, record["uuid"], movement=facts | {"state": how})


def _facts(world: World, args: dict[str, Any]) -> dict[str, Any]:
    kept = {key: args["wish"][key] for key in ("cutover_window", "tiering_policy") if key in args["wish"]}
    kept["options"] = args.get("options", {})
    named = _named(world, args["destination"])
    return kept | {"destination_aggregate": named, "start_time": args["start"], "percent_complete": 0}


def _named(world: World, aggregate: str) -> dict[str, str]:
    return {"name": aggregate, "uuid": world.store.find("aggregate", name=aggregate)[0]["uuid"]}


@rules.rule("delete", "restore", "split")
def not_while_it_moves(world: Any, volume: dict[str, Any]) -> None:
    if under_way(world, volume["uuid"]):
        raise InUse(f'Volume "{volume["name"]}" is being moved to another aggregate. Wait for the move, or abort it.')
