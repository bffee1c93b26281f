from emulator.errors import MissingField, NotFound
from emulator.rest import Call, Reply, created, many, one
from emulator.snaplock import clocks, errors, kept
from emulator.store import Record
from emulator.svms.state import visible


def list_clocks(call: Call) -> Reply:
    return many(call, clocks.CLOCK, call.world.store.find(clocks.KIND))


def get_clock(call: Call) -> Reply:
    return one(call, clocks.CLOCK, call.world.store.get(clocks.KIND, call.params["node.uuid"]))


def create_clock(call: Call) -> Reply:
    wish = call.body.get("node") or {}
    if not wish.get("name") and not wish.get("uuid"):
        raise MissingField("node.uuid")
    return created(call, clocks.CLOCK, clocks.initialize(call.world, wish))


def _volume(call: Call, uuid: str) -> Record:
    record = call.world.store.get("volume", uuid)
    if record is None or not visible(call, [record]):
        raise NotFound("volume.uuid")
    return record


def _file(call: Call) -> tuple[Record, Record]:
    """The volume that the path names, and its file that is kept."""
    volume = _volume(call, call.params["volume.uuid"])
    for record in kept.of_volume(call.world, volume["uuid"]):
        if record["path"] == call.params["path"].strip("/"):
            return volume, record
    raise errors.NotWorm(call.params["path"])


def get_file(call: Call) -> Reply:
    return one(call, kept.FILE, _file(call)[1])


def keep_file(call: Call) -> Reply:
    """A file that was written becomes one that is kept, and one that is kept is kept longer."""
    volume = _volume(call, call.params["volume.uuid"])
    kept.keep(call.world, volume, call.params["path"], call.body)
    return Reply(200, {})
