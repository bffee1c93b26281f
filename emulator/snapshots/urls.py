from emulator.rest import Route
from emulator.snapshots import handlers
from emulator.snapshots.state import PATCH_FIELDS, POST_FIELDS, SNAPSHOT

_ALL = "/storage/volumes/{volume.uuid}/snapshots"
_ONE = _ALL + "/{uuid}"

URLS = [
    Route("GET", _ALL, handlers.list_snapshots, shape=SNAPSHOT),
    Route("POST", _ALL, handlers.create, shape=SNAPSHOT, accepts=POST_FIELDS),
    Route("GET", _ONE, handlers.get_snapshot, shape=SNAPSHOT),
    Route("PATCH", _ONE, handlers.modify, shape=SNAPSHOT, accepts=PATCH_FIELDS),
    Route("DELETE", _ONE, handlers.delete, shape=SNAPSHOT),
]
