from emulator.rest import Route
from emulator.schedules import handlers
from emulator.schedules.state import PATCH_FIELDS, POST_FIELDS, SCHEDULE

_ALL = "/cluster/schedules"
_ONE = _ALL + "/{uuid}"

URLS = [
    Route("GET", _ALL, handlers.list_schedules, shape=SCHEDULE),
    Route("POST", _ALL, handlers.create, shape=SCHEDULE, accepts=POST_FIELDS),
    Route("GET", _ONE, handlers.get_schedule, shape=SCHEDULE),
    Route("PATCH", _ONE, handlers.modify, shape=SCHEDULE, accepts=PATCH_FIELDS),
    Route("DELETE", _ONE, handlers.delete, shape=SCHEDULE),
]
