"""The source's side of a mirror: what the cluster that has the destination asks for.

Every call says by which SVM peering it comes (``pair``) and which volume it is about; other SVMs' are not shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from emulator import changed_times, trees
from emulator.cluster_peers import state as cluster_peers
from emulator.errors import OntapError
from emulator.intercluster import Stream, offers
from emulator.snapmirror import errors, trees_sent
from emulator.snapmirror.rules import SOURCE, is_dp
from emulator.snapshots import state as snapshots
from emulator.store import Record
from emulator.svm_peers import state as svm_peers

if TYPE_CHECKING:
    from emulator.world import World

OWNER = "snapmirror"
PREFIX = "snapmirror."
_SHOWN = ("uuid", "name", "comment", "label", "expiry_time", "create_time", "version_uuid", "size")
_VOLUME = ("uuid", "name", "size", "language", "security_style", "svm", "state")


def _peering(world: World, peer: Record | None, asked: dict[str, Any]) -> Record:
    """This side's record of the SVM peering that is asked under."""
    if peer is not None:
        return svm_peers.of_pair(world, peer, asked["pair"], "snapmirror")
    found = [each for each in world.store.find(svm_peers.KIND) if each["pair"] == asked["pair"]]
    other = next((each for each in found if each["uuid"] != asked["by"]), None)
    if other is None:
        raise svm_peers.errors.NotPeered("?", "?", "snapmirror")
    return other


def _volume(world: World, peer: Record | None, asked: dict[str, Any]) -> Record:
    """The volume that is asked for by its uuid, or else by its name. 917731 if there is none."""
    alone = peer is None and asked.get("pair") is None
    svm = asked["svm"] if alone else _peering(world, peer, asked)["svm"]["uuid"]
    uuid = asked.get("volume_uuid")
    wanted = {"uuid": uuid} if uuid else {"name": asked["volume"]}
    found = world.store.find("volume", svm__uuid=svm, **wanted)
    if not found:
        raise errors.NoVolume(asked.get("volume") or str(uuid), "source.path")
    return found[0]


def _snapshots(world: World, volume: Record) -> list[dict[str, Any]]:
    found = world.store.find(snapshots.KIND, volume=volume["uuid"])
    return [
        {key: each[key] for key in _SHOWN} | {"provenance": each.get("provenance") or volume["uuid"]} for each in found
    ]


@offers("mirror.volume")
def volume(world: World, peer: Record | None, asked: dict[str, Any]) -> dict[str, Any]:
    """The volume and its snapshots, oldest first."""
    found = _volume(world, peer, asked)
    if found.get("flexcache"):
        raise errors.NotForMirrors(f"{found['svm']['name']}:{found['name']}", "a FlexCache volume")
    return {key: found[key] for key in _VOLUME} | {"dp": is_dp(found), "snapshots": _snapshots(world, found)}


@offers("mirror.begin")
def begin(world: World, peer: Record | None, asked: dict[str, Any]) -> dict[str, Any]:
    """Note the relationship, and take the snapshot that its transfer is to end at (``take``, a name) if it needs one.

    A transfer that begins again after a kill finds the snapshot that it took.
    """
    found = _volume(world, peer, asked)
    if found["state"] != "online":
        raise errors.NoVolume(f"{found['svm']['name']}:{found['name']} (offline)", "source.path")
    _note(world, peer, asked, found)
    if asked["take"] and not is_dp(found):
        _take(world, found, asked)
    return volume(world, peer, asked)


def _note(world: World, peer: Record | None, asked: dict[str, Any], found: Record) -> None:
    peering = _peering(world, peer, asked)["uuid"] if asked.get("pair") else None
    path = f"{found['svm']['name']}:{found['name']}"
    facts = {"destination": asked["destination"], "source": path, "volume": found["uuid"], "peering": peering}
    if world.store.get(SOURCE, asked["relationship"]):
        world.store.update(SOURCE, asked["relationship"], **facts)
        return
    more = {"svm": found["svm"], "policy_type": asked["policy_type"], "base": None, "to_volume": asked["to_volume"]}
    world.store.insert(SOURCE, {"uuid": asked["relationship"], **facts, **more, "to": asked["to"]})


def _take(world: World, found: Record, asked: dict[str, Any]) -> None:
    with world.dataplane.lock(found["uuid"]):
        if snapshots.named(world, found, asked["take"], None):
            return
        facts = {"uuid": str(uuid4()), "name": asked["take"], "label": "sm_created", "owners": [OWNER]}
        snapshots.take(world, found, facts, reserved=True)


@offers("mirror.tree")
def tree(world: World, peer: Record | None, asked: dict[str, Any]) -> dict[str, Any]:
    """What lies in a snapshot: entries, the permissions that freezing took away, and when files had last changed."""
    found = _volume(world, peer, asked)
    name, uuid = _snapshot(world, found, asked)
    modes = trees.load_facts(world.dataplane.modes_file(found["uuid"], uuid))
    times = changed_times.load(world.dataplane.times_file(found["uuid"], uuid))
    listed = trees_sent.listed(world.dataplane.snapshot_dir(found["uuid"], name))
    return {"entries": listed, "modes": modes, "times": times}


@offers("mirror.digests")
def digests(world: World, peer: Record | None, asked: dict[str, Any]) -> dict[str, Any]:
    found = _volume(world, peer, asked)
    top = world.dataplane.snapshot_dir(found["uuid"], _snapshot(world, found, asked)[0])
    return {"digests": [trees_sent.digest(trees_sent.inside(top, path)) for path in asked["paths"]]}


@offers("mirror.read")
def read(world: World, peer: Record | None, asked: dict[str, Any]) -> Stream:
    """The contents of files of a snapshot, one after the other."""
    found = _volume(world, peer, asked)
    top = world.dataplane.snapshot_dir(found["uuid"], _snapshot(world, found, asked)[0])
    paths = [trees_sent.inside(top, path) for path in asked["paths"]]
    return Stream(sum(path.lstat().st_size for path in paths), trees_sent.contents(paths))


def _snapshot(world: World, found: Record, asked: dict[str, Any]) -> tuple[str, str]:
    record = snapshots.named(world, found, None, asked["snapshot"])
    if record is None:
        raise snapshots.errors.NoSuchSnapshot(asked["snapshot"], found["name"])
    return record["name"], record["uuid"]


@offers("mirror.end")
def end(world: World, peer: Record | None, asked: dict[str, Any]) -> dict[str, Any]:
    """Both sides have the snapshot ``base`` (uuid): it is kept from being removed, and the one before it let go."""
    found = _volume(world, peer, asked)
    known = world.store.get(SOURCE, asked["relationship"])
    if known is None:
        return {}
    world.store.update(SOURCE, known["uuid"], base=asked["base"])
    if record := world.store.get(snapshots.KIND, asked["base"]):
        world.store.update(snapshots.KIND, record["uuid"], owners=sorted({*record["owners"], OWNER}))
    _tidy(world, found, asked["stem"])
    return {}


def _tidy(world: World, found: Record, stem: str) -> None:
    """Let go of every snapshot that no relationship has as its base; those that SnapMirror took (``stem``) go."""
    bases = {each["base"] for each in world.store.find(SOURCE, volume=found["uuid"])}
    for record in world.store.find(snapshots.KIND, volume=found["uuid"]):
        if record["uuid"] in bases or OWNER not in record["owners"]:
            continue
        if not record["name"].startswith(PREFIX):
            world.store.update(snapshots.KIND, record["uuid"], owners=[o for o in record["owners"] if o != OWNER])
        elif record["name"].startswith(stem):
            _drop(world, found, record)


def _drop(world: World, found: Record, record: Record) -> None:
    """Unless a clone needs it."""
    with world.dataplane.lock(found["uuid"]):
        try:
            snapshots.remove(world, found, record)
        except OntapError:
            world.store.update(snapshots.KIND, record["uuid"], owners=[])


@offers("mirror.release")
def release(world: World, peer: Record | None, asked: dict[str, Any]) -> dict[str, Any]:
    """Forget a relationship; its snapshots go with it unless they are to stay."""
    known = world.store.get(SOURCE, asked["relationship"])
    if known is None:
        return {}
    if peer is not None:
        svm_peers.of_pair(world, peer, asked["pair"], "snapmirror")
    forget(world, known, keep_snapshots=bool(asked.get("keep_snapshots")))
    return {}


def forget(world: World, known: Record, *, keep_snapshots: bool) -> None:
    world.store.delete(SOURCE, known["uuid"])
    found = world.store.get("volume", known["volume"])
    if found is not None and not keep_snapshots:
        _tidy(world, found, stem(known["to"], known["to_volume"]))


def stem(svm: str, volume: str) -> str:
    """How the names of a relationship's own snapshots begin: by the SVM and the volume (uuids) of its destination."""
    return f"{PREFIX}{svm}_{volume}."


def ask(world: World, relationship: Record, name: str, **arguments: Any) -> dict[str, Any]:
    """Call a function of this module on the cluster that has a relationship's source."""
    peer, arguments = _route(world, relationship, arguments)
    if peer is not None:
        return world.peers.call(peer, f"mirror.{name}", arguments)
    return _LOCAL[name](world, None, arguments)


def _route(world: World, relationship: Record, arguments: dict[str, Any]) -> tuple[Record | None, dict[str, Any]]:
    """The peer to ask, None for this cluster, and what every call says."""
    known = {"relationship": relationship["uuid"], "volume_uuid": relationship["source_volume"]}
    known |= {"volume": relationship["source"].partition(":")[2]}
    if relationship["peering"] is None:
        return None, known | {"pair": None, "svm": relationship["source_svm"]} | arguments
    peering = world.store.get(svm_peers.KIND, relationship["peering"])
    if peering is None or peering["state"] != "peered":
        svm = relationship["svm"]["name"]
        raise svm_peers.errors.NotPeered(svm, relationship["source"].partition(":")[0], "snapmirror")
    known |= {"pair": peering["pair"], "by": peering["uuid"]}
    cluster = svm_peers.cluster_of(world, peering)
    if peering["cluster"] and cluster is None:
        raise cluster_peers.errors.NoSuchPeer(peering["name"])
    return cluster, known | arguments


def read_into(world: World, relationship: Record, **arguments: Any) -> Any:
    """A context manager with the bytes that ``read`` of the source sends, as an iterator."""
    from contextlib import contextmanager

    peer, asked = _route(world, relationship, arguments)

    @contextmanager
    def reading() -> Any:
        if peer is None:
            yield read(world, None, asked).parts
            return
        with world.peers.read(peer, "mirror.read", asked) as response:
            yield response.iter_bytes(1 << 18)

    return reading()


_LOCAL: dict[str, Any] = {
    "volume": volume,
    "begin": begin,
    "tree": tree,
    "digests": digests,
    "end": end,
    "release": release,
}
