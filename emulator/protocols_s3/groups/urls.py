from emulator.protocols_s3.groups import handlers
from emulator.protocols_s3.groups.state import GROUP, PATCH_FIELDS, POST_FIELDS
from emulator.rest import Route

_ALL = "/protocols/s3/services/{svm.uuid}/groups"

URLS = [
    Route("GET", _ALL, handlers.list_groups, shape=GROUP),
    Route("POST", _ALL, handlers.create, shape=GROUP, accepts=POST_FIELDS),
    Route("GET", f"{_ALL}/{{id}}", handlers.get_group, shape=GROUP),
    Route("PATCH", f"{_ALL}/{{id}}", handlers.modify, shape=GROUP, accepts=PATCH_FIELDS),
    Route("DELETE", f"{_ALL}/{{id}}", handlers.delete, shape=GROUP),
]
