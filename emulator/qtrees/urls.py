from emulator.qtrees import handlers
from emulator.qtrees.state import PATCH_FIELDS, POST_FIELDS, QTREE
from emulator.rest import Route

_QTREES = "/storage/qtrees"
_QTREE = _QTREES + "/{volume.uuid}/{id}"

URLS = [
    Route("GET", _QTREES, handlers.list_qtrees, shape=QTREE),
    Route("POST", _QTREES, handlers.create, shape=QTREE, accepts=POST_FIELDS),
    Route("GET", _QTREE, handlers.get_qtree, shape=QTREE),
    Route("PATCH", _QTREE, handlers.modify, shape=QTREE, accepts=PATCH_FIELDS),
    Route("DELETE", _QTREE, handlers.delete, shape=QTREE),
]
