from emulator.body import flag
from emulator.protocols_s3.services import handlers
from emulator.protocols_s3.services.state import PATCH_FIELDS, POST_FIELDS, SERVICE
from emulator.rest import Route

_ALL = "/protocols/s3/services"
_ONE = "/protocols/s3/services/{svm.uuid}"
_DELETE = frozenset({"delete_all"})

URLS = [
    Route("GET", _ALL, handlers.list_services, shape=SERVICE),
    Route("POST", _ALL, handlers.create, shape=SERVICE, accepts=POST_FIELDS),
    Route("GET", _ONE, handlers.get_service, shape=SERVICE),
    Route("PATCH", _ONE, handlers.modify, shape=SERVICE, accepts=PATCH_FIELDS),
    Route("DELETE", _ONE, handlers.delete, shape=SERVICE, accepts={"delete_all": flag}, arguments=_DELETE),
]
