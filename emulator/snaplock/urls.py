from emulator.rest import Route
from emulator.snaplock import handlers
from emulator.snaplock.clocks import CLOCK, POST_FIELDS

_CLOCKS = "/storage/snaplock/compliance-clocks"

URLS = [
    Route("GET", _CLOCKS, handlers.list_clocks, shape=CLOCK),
    Route("POST", _CLOCKS, handlers.create_clock, shape=CLOCK, accepts=POST_FIELDS),
    Route("GET", _CLOCKS + "/{node.uuid}", handlers.get_clock, shape=CLOCK),
]
