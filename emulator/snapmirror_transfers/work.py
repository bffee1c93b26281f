"""What one transfer does, from the snapshot at the source to the files that the destination shows.

It may be killed anywhere and is then done again: a snapshot that the destination has already is not copied twice, and
the live files are exchanged last, in one step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from emulator.errors import OntapError
from emulator.snapmirror import source
from emulator.snapmirror.rules import is_dp
from emulator.snapmirror_policies import state as policies
from emulator.snapmirror_transfers import copying, errors, state
from emulator.snapmirror_transfers.engine import Progress, does_transfers
from emulator.snapshots import state as snapshots
from emulator.store import Record
from emulator.volumes import junctions, settings

if TYPE_CHECKING:
    from emulator.world import World

_COPIED = ("name", "comment", "label", "expiry_time", "create_time", "version_uuid", "size", "provenance")


@does_transfers
def transfer(world: World, uuid: str, progress: Progress) -> None:
    record = world.store.get(state.KIND, uuid)
    assert record is not None
    relationship = world.store.get("snapmirror", record["relationship"])
    volume = world.store.get("volume", relationship["destination_volume"]) if relationship else None
    if relationship is None or volume is None:
        raise OntapError("The relationship or its destination volume is gone.", code="13303844")
    policy = world.store.get(policies.KIND, relationship["policy"])
    assert policy is not None
    takes = policies.takes_snapshot(policy) or record["kind"] == "initialize"
    told = _begin(world, relationship, policy, record["take"] if takes else None)
    common = _common(world, volume, told["snapshots"])
    if record["kind"] == "resync" and common is None:
        raise errors.NoCommonSnapshot(relationship["source"], relationship["destination"])
    wanted = _wanted(policy, told, record, relationship)
    with world.dataplane.lock(volume["uuid"]):
        _copy(world, relationship, volume, wanted, progress)
        progress.finish()
        progress.check()
        _show(world, relationship, record, volume, told, wanted[-1] if wanted else None)


def _begin(world: World, relationship: Record, policy: Record, take: str | None) -> dict[str, Any]:
    facts = {"destination": relationship["destination"], "to": relationship["svm"]["uuid"], "take": take}
    facts["to_volume"] = relationship["destination_volume"]
    told = source.ask(world, relationship, "begin", **facts, policy_type=policy["type"])
    path = f"{relationship['source'].partition(':')[0]}:{told['name']}"
    world.store.update("snapmirror", relationship["uuid"], source=path, source_volume=told["uuid"])
    relationship |= {"source": path, "source_size": told["size"]}
    return told


def _common(world: World, volume: Record, theirs: list[dict[str, Any]]) -> Record | None:
    """Our newest snapshot that the source has too."""
    versions = {each["version_uuid"] for each in theirs}
    ours = [
        each for each in world.store.find(snapshots.KIND, volume=volume["uuid"]) if each["version_uuid"] in versions
    ]
    return max(ours, key=lambda each: (each["create_time"], each["_seq"]), default=None)


def _wanted(policy: Record, told: dict[str, Any], record: Record, relationship: Record) -> list[dict[str, Any]]:
    """Snapshots of the source that the destination shall have, oldest first; it shows the last of them."""
    if record["source_snapshot"]:
        named = [each for each in told["snapshots"] if each["name"] == record["source_snapshot"]]
        if not named:
            raise snapshots.errors.NoSuchSnapshot(record["source_snapshot"], told["name"])
        return named
    found = []
    for each in told["snapshots"]:
        own = each["name"] == record["take"]
        foreign = each["name"].startswith(source.PREFIX) and not own and not told["dp"]
        if own or (not foreign and policies.takes_along(policy, each)):
            found.append(each)
    return found or told["snapshots"][-1:]


def _copy(world: World, relationship: Record, volume: Record, wanted: list[dict[str, Any]], progress: Progress) -> None:
    for each in wanted:
        ours = world.store.find(snapshots.KIND, volume=volume["uuid"])
        if any(known["version_uuid"] == each["version_uuid"] for known in ours):
            continue
        base = world.dataplane.snapshot_dir(volume["uuid"], ours[-1]["name"]) if ours else None
        stage, modes, times, size = copying.receive(world, relationship, each, base, progress)
        grown = max(volume["size"], relationship["source_size"])
        if size > settings.usable_bytes(volume | {"size": grown}):
            world.dataplane.forget(stage)
            raise errors.NoRoom(volume["name"], size, grown)
        uuid, name = str(uuid4()), _free_name(ours, each["name"])
        world.dataplane.receive_snapshot(volume["uuid"], uuid, name, stage, modes, times)
        facts = {key: each[key] for key in _COPIED} | {"name": name, "lock_until": None, "owners": []}
        world.store.insert(snapshots.KIND, {"uuid": uuid, "volume": volume["uuid"], "svm": volume["svm"]} | facts)


def _free_name(ours: list[Record], name: str) -> str:
    """The name at the source, or one that a snapshot of the destination's own leaves free."""
    taken = {each["name"] for each in ours}
    number = 1
    free = name
    while free in taken:
        free, number = f"{name}.{number}", number + 1
    return free


def _show(
    world: World,
    relationship: Record,
    record: Record,
    volume: Record,
    told: dict[str, Any],
    last: dict[str, Any] | None,
) -> None:
    """Let both sides know what they have in common, then show it."""
    if last is None:
        return
    stem = source.stem(relationship["svm"]["uuid"], relationship["destination_volume"])
    source.ask(world, relationship, "end", base=last["uuid"], stem=stem)
    ours = world.store.find(snapshots.KIND, volume=volume["uuid"])
    exported = next(each for each in ours if each["version_uuid"] == last["version_uuid"])
    policy = world.store.get(policies.KIND, relationship["policy"])
    assert policy is not None
    if exported["uuid"] != relationship["exported"] or not is_dp(volume):
        with world.dataplane.namespace.lock:
            inside = junctions.links_inside(world, volume)
            world.dataplane.show_frozen(volume["uuid"], exported["uuid"], exported["name"], inside)
    _prune(world, volume, policy, record, told, exported)
    with world.store.transaction():
        for each in world.store.find(snapshots.KIND, volume=volume["uuid"]):
            owners = [source.OWNER] if each["uuid"] == exported["uuid"] else []
            if each["owners"] != owners:
                world.store.update(snapshots.KIND, each["uuid"], owners=owners)
        world.store.update("volume", volume["uuid"], type="dp", size=max(volume["size"], told["size"]))
        state_now = "in_sync" if policy["type"] == "sync" else "snapmirrored"
        world.store.update("snapmirror", relationship["uuid"], state=state_now, exported=exported["uuid"])
        world.store.update(state.KIND, record["uuid"], snapshot=last["name"])


def _prune(
    world: World, volume: Record, policy: Record, record: Record, told: dict[str, Any], exported: Record
) -> None:
    """Remove what the source no longer has, and what is more of a label than its rule lets the destination keep."""
    ours = [e for e in world.store.find(snapshots.KIND, volume=volume["uuid"]) if e["uuid"] != exported["uuid"]]
    theirs = {each["version_uuid"] for each in told["snapshots"]}
    counts = {rule["label"]: rule["count"] for rule in policy["rules"] if rule["label"] != policies.ALL}
    mirrors = any(rule["label"] == policies.ALL for rule in policy["rules"]) or len(counts) == 1
    after_common = record["kind"] == "resync" and not record["preserve"]
    for label in {each["label"] for each in ours}:
        of_label = sorted((e for e in ours if e["label"] == label), key=lambda e: (e["create_time"], e["_seq"]))
        keep = counts.get(label, len(of_label)) - (exported["label"] == label)
        surplus = of_label[: max(0, len(of_label) - max(0, keep))]
        for each in of_label:
            own = each.get("provenance") is None  # made here while the mirror was broken
            gone = each["version_uuid"] not in theirs and (after_common if own else mirrors)
            if gone or (each in surplus and not own):
                _remove(world, volume, each)


def _remove(world: World, volume: Record, snapshot: Record) -> None:
    """Unless a clone or a lock keeps it."""
    if snapshots.is_locked(world, snapshot):
        return
    try:
        snapshots.remove(world, volume, snapshot)
    except OntapError:
        world.store.update(snapshots.KIND, snapshot["uuid"], owners=[])
