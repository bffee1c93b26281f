from emulator.rest import Route
from emulator.snaplock import handlers, kept
from emulator.snaplock.clocks import CLOCK, POST_FIELDS

_FILE = "/storage/snaplock/file/{volume.uuid}/{path}"
_CLOCKS = "/storage/snaplock/compliance-clocks"

URLS = [
    Route("GET", _CLOCKS, handlers.list_clocks, shape=CLOCK),
    Route("POST", _CLOCKS, handlers.create_clock, shape=CLOCK, accepts=POST_FIELDS),
    Route("GET", _CLOCKS + "/{node.uuid}", handlers.get_clock, shape=CLOCK),
    Route("GET", _FILE, handlers.get_file, shape=kept.FILE),
    Route("PATCH", _FILE, handlers.keep_file, shape=kept.FILE, accepts=kept.PATCH_FIELDS),
]
