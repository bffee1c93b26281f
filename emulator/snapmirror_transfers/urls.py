from emulator.rest import Route
from emulator.snapmirror_transfers import handlers, work  # noqa: F401 - registers what does transfers
from emulator.snapmirror_transfers.state import PATCH_FIELDS, POST_FIELDS, TRANSFER

_ALL = "/snapmirror/relationships/{relationship.uuid}/transfers"
_ONE = _ALL + "/{uuid}"

URLS = [
    Route("GET", _ALL, handlers.list_transfers, shape=TRANSFER),
    Route("POST", _ALL, handlers.create, shape=TRANSFER, accepts=POST_FIELDS),
    Route("GET", _ONE, handlers.get_transfer, shape=TRANSFER),
    Route("PATCH", _ONE, handlers.modify, shape=TRANSFER, accepts=PATCH_FIELDS),
]
