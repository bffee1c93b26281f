from emulator.rest import Route
from emulator.snapmirror import handlers, operations, rules, schedule  # noqa: F401 - register what they have
from emulator.snapmirror.state import DELETE_ARGUMENTS, PATCH_FIELDS, POST_FIELDS, RELATIONSHIP

_ALL = "/snapmirror/relationships"
_ONE = _ALL + "/{uuid}"
_LIST = frozenset({"list_destinations_only"})

URLS = [
    Route("GET", _ALL, handlers.list_relationships, shape=RELATIONSHIP, arguments=_LIST),
    Route("POST", _ALL, handlers.create, shape=RELATIONSHIP, accepts=POST_FIELDS),
    Route("GET", _ONE, handlers.get_relationship, shape=RELATIONSHIP, arguments=_LIST),
    Route("PATCH", _ONE, handlers.modify, shape=RELATIONSHIP, accepts=PATCH_FIELDS),
    Route("DELETE", _ONE, handlers.delete, shape=RELATIONSHIP, arguments=DELETE_ARGUMENTS),
]
